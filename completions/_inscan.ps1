
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'inscan' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'inscan'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'inscan' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('analyze', 'analyze', [CompletionResultType]::ParameterValue, 'Analyze an image, and write the analysis document')
            [CompletionResult]::new('scan', 'scan', [CompletionResultType]::ParameterValue, 'Scan an image: show its content, its vulnerabilities and the verdict')
            [CompletionResult]::new('evaluate', 'evaluate', [CompletionResultType]::ParameterValue, 'Evaluate an analysis document: show vulnerable packages and the verdict')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'Explain why a vulnerability does or does not affect an image')
            [CompletionResult]::new('archive', 'archive', [CompletionResultType]::ParameterValue, 'Write the analysis archive for a later upload to a backend')
            [CompletionResult]::new('upload', 'upload', [CompletionResultType]::ParameterValue, 'Get the verdict of a backend for an image: Sysdig''s, or an Anchore engine')
            [CompletionResult]::new('legacy', 'legacy', [CompletionResultType]::ParameterValue, 'Stand in for the legacy inline scanner: its command line, its output, its exit codes')
            [CompletionResult]::new('analyzers', 'analyzers', [CompletionResultType]::ParameterValue, 'List the analyzers, and what each finds')
            [CompletionResult]::new('cache', 'cache', [CompletionResultType]::ParameterValue, 'Show or empty the layer cache')
            [CompletionResult]::new('db', 'db', [CompletionResultType]::ParameterValue, 'Build, fetch and inspect the vulnerability database')
            [CompletionResult]::new('policy', 'policy', [CompletionResultType]::ParameterValue, 'List, show, check and write bundles of policies')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completions for a shell')
            [CompletionResult]::new('pull', 'pull', [CompletionResultType]::ParameterValue, 'Copy an image to an OCI layout, for other tools or for later')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Be a backend: keep the analysis of images, judge them, answer the clients that teams have')
            [CompletionResult]::new('compare-versions', 'compare-versions', [CompletionResultType]::ParameterValue, 'Compare pairs of versions as an ecosystem orders them')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'inscan;analyze' {
            [CompletionResult]::new('--platform', '--platform', [CompletionResultType]::ParameterName, 'The platform to take from an image made for several, as OS/ARCH[/VARIANT][:VERSION]')
            [CompletionResult]::new('--containerd-namespace', '--containerd-namespace', [CompletionResultType]::ParameterName, 'The namespace of containerd that has the image [default: whichever has it]')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'The full name to give the image: registry, repository and tag')
            [CompletionResult]::new('--image-digest', '--image-digest', [CompletionResultType]::ParameterName, 'The manifest digest to give the image, instead of the one it has')
            [CompletionResult]::new('--image-id', '--image-id', [CompletionResultType]::ParameterName, 'The image id to give the image, instead of the one it has: 64 hex digits')
            [CompletionResult]::new('--dockerfile', '--dockerfile', [CompletionResultType]::ParameterName, 'The Dockerfile that made the image; without it, one is guessed from its history')
            [CompletionResult]::new('--analyzer-config', '--analyzer-config', [CompletionResultType]::ParameterName, 'What the analyzers look for: the legacy engine''s analyzer_config.yaml')
            [CompletionResult]::new('--only', '--only', [CompletionResultType]::ParameterName, 'Analyze only these parts, in less time: packages, secrets, files; several with commas')
            [CompletionResult]::new('--digests', '--digests', [CompletionResultType]::ParameterName, 'More digests of every file, in addition to md5, sha1 and sha256')
            [CompletionResult]::new('--clamd', '--clamd', [CompletionResultType]::ParameterName, 'Where clamd listens: a socket, or HOST:PORT [default: where Debian has it]')
            [CompletionResult]::new('--image-budget', '--image-budget', [CompletionResultType]::ParameterName, 'How many times as much as usual an image may ask for: bytes that its layers unpack to, entries, packages')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'How many threads to work with [default: one per core]')
            [CompletionResult]::new('--cache-dir', '--cache-dir', [CompletionResultType]::ParameterName, 'The directory to keep layers in [default: $XDG_CACHE_HOME/inscan, ~/.cache/inscan]')
            [CompletionResult]::new('--cache-size', '--cache-size', [CompletionResultType]::ParameterName, 'How large the cache may get: what was not used for the longest time goes first')
            [CompletionResult]::new('--registry-user', '--registry-user', [CompletionResultType]::ParameterName, 'Log in to the image''s registry as this user')
            [CompletionResult]::new('--registry-token', '--registry-token', [CompletionResultType]::ParameterName, 'Show this token to the image''s registry')
            [CompletionResult]::new('--authfile', '--authfile', [CompletionResultType]::ParameterName, 'The file with credentials, as `podman login --authfile` and `docker login` write it [default: REGISTRY_AUTH_FILE, else the usual places of podman and docker]')
            [CompletionResult]::new('--registries-conf', '--registries-conf', [CompletionResultType]::ParameterName, 'The file with mirrors, other locations and blocked hosts [default: registries.conf and registries.conf.d where podman has them]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust the certificates in this PEM file too; may be repeated')
            [CompletionResult]::new('--client-cert', '--client-cert', [CompletionResultType]::ParameterName, 'Show this certificate (PEM) to servers that ask for one')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'The private key (PEM) of the client certificate, where it is in a file of its own')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Give a server up that cannot be reached within so many seconds')
            [CompletionResult]::new('--stall-timeout', '--stall-timeout', [CompletionResultType]::ParameterName, 'Abort after this many seconds without data')
            [CompletionResult]::new('--retries', '--retries', [CompletionResultType]::ParameterName, 'How often to ask again where that may help, with longer and longer waits between')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'What to write, and where to (standard output unless a file is named); may be repeated')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write, and where to (standard output unless a file is named); may be repeated')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('--hints', '--hints', [CompletionResultType]::ParameterName, 'Trust the package list in the image (/anchore_hints.json)')
            [CompletionResult]::new('--malware', '--malware', [CompletionResultType]::ParameterName, 'Scan every file with a running clamd (ClamAV)')
            [CompletionResult]::new('--one-file-system', '--one-file-system', [CompletionResultType]::ParameterName, 'Of a root file system (`dir:`), leave out what other file systems hold that are mounted in it')
            [CompletionResult]::new('--timings', '--timings', [CompletionResultType]::ParameterName, 'Show on stderr how long each layer, analyzer and step took')
            [CompletionResult]::new('--no-cache', '--no-cache', [CompletionResultType]::ParameterName, 'Read every layer again, and store nothing in the layer cache')
            [CompletionResult]::new('--registry-password-stdin', '--registry-password-stdin', [CompletionResultType]::ParameterName, 'Read the password of `--registry-user` from standard input')
            [CompletionResult]::new('--allow-foreign-layers', '--allow-foreign-layers', [CompletionResultType]::ParameterName, 'Fetch layers that the registry lacks from the addresses in the manifest')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Do not use the network; whatever needs it is an error')
            [CompletionResult]::new('--insecure-tls', '--insecure-tls', [CompletionResultType]::ParameterName, 'Do not verify certificates of servers: others on the network can read and change what is sent')
            [CompletionResult]::new('--plain-http', '--plain-http', [CompletionResultType]::ParameterName, 'Use plain http instead of https: others on the network can read and change what is sent')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;scan' {
            [CompletionResult]::new('--platform', '--platform', [CompletionResultType]::ParameterName, 'The platform to take from an image made for several, as OS/ARCH[/VARIANT][:VERSION]')
            [CompletionResult]::new('--containerd-namespace', '--containerd-namespace', [CompletionResultType]::ParameterName, 'The namespace of containerd that has the image [default: whichever has it]')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'The full name to give the image: registry, repository and tag')
            [CompletionResult]::new('--image-digest', '--image-digest', [CompletionResultType]::ParameterName, 'The manifest digest to give the image, instead of the one it has')
            [CompletionResult]::new('--image-id', '--image-id', [CompletionResultType]::ParameterName, 'The image id to give the image, instead of the one it has: 64 hex digits')
            [CompletionResult]::new('--dockerfile', '--dockerfile', [CompletionResultType]::ParameterName, 'The Dockerfile that made the image; without it, one is guessed from its history')
            [CompletionResult]::new('--analyzer-config', '--analyzer-config', [CompletionResultType]::ParameterName, 'What the analyzers look for: the legacy engine''s analyzer_config.yaml')
            [CompletionResult]::new('--only', '--only', [CompletionResultType]::ParameterName, 'Analyze only these parts, in less time: packages, secrets, files; several with commas')
            [CompletionResult]::new('--digests', '--digests', [CompletionResultType]::ParameterName, 'More digests of every file, in addition to md5, sha1 and sha256')
            [CompletionResult]::new('--clamd', '--clamd', [CompletionResultType]::ParameterName, 'Where clamd listens: a socket, or HOST:PORT [default: where Debian has it]')
            [CompletionResult]::new('--image-budget', '--image-budget', [CompletionResultType]::ParameterName, 'How many times as much as usual an image may ask for: bytes that its layers unpack to, entries, packages')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'How many threads to work with [default: one per core]')
            [CompletionResult]::new('--cache-dir', '--cache-dir', [CompletionResultType]::ParameterName, 'The directory to keep layers in [default: $XDG_CACHE_HOME/inscan, ~/.cache/inscan]')
            [CompletionResult]::new('--cache-size', '--cache-size', [CompletionResultType]::ParameterName, 'How large the cache may get: what was not used for the longest time goes first')
            [CompletionResult]::new('--registry-user', '--registry-user', [CompletionResultType]::ParameterName, 'Log in to the image''s registry as this user')
            [CompletionResult]::new('--registry-token', '--registry-token', [CompletionResultType]::ParameterName, 'Show this token to the image''s registry')
            [CompletionResult]::new('--authfile', '--authfile', [CompletionResultType]::ParameterName, 'The file with credentials, as `podman login --authfile` and `docker login` write it [default: REGISTRY_AUTH_FILE, else the usual places of podman and docker]')
            [CompletionResult]::new('--registries-conf', '--registries-conf', [CompletionResultType]::ParameterName, 'The file with mirrors, other locations and blocked hosts [default: registries.conf and registries.conf.d where podman has them]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust the certificates in this PEM file too; may be repeated')
            [CompletionResult]::new('--client-cert', '--client-cert', [CompletionResultType]::ParameterName, 'Show this certificate (PEM) to servers that ask for one')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'The private key (PEM) of the client certificate, where it is in a file of its own')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Give a server up that cannot be reached within so many seconds')
            [CompletionResult]::new('--stall-timeout', '--stall-timeout', [CompletionResultType]::ParameterName, 'Abort after this many seconds without data')
            [CompletionResult]::new('--retries', '--retries', [CompletionResultType]::ParameterName, 'How often to ask again where that may help, with longer and longer waits between')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'What to write, and where to (standard output unless a file is named); may be repeated [default: summary, and table where there is a database]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write, and where to (standard output unless a file is named); may be repeated [default: summary, and table where there is a database]')
            [CompletionResult]::new('--template', '--template', [CompletionResultType]::ParameterName, 'The template that `-o template` fills in, in the language of Jinja (docs/reports.md)')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The vulnerability database [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]')
            [CompletionResult]::new('--db-max-age', '--db-max-age', [CompletionResultType]::ParameterName, 'The oldest data to judge with: an age as 5d, 36h or 2w, and what then, as 5d:warn or 5d:fail')
            [CompletionResult]::new('--db-update', '--db-update', [CompletionResultType]::ParameterName, 'Fetch a newer database from here first, where that was not tried within a day')
            [CompletionResult]::new('--db-update-deadline', '--db-update-deadline', [CompletionResultType]::ParameterName, 'How long to wait for a newer database; what has come by then is kept for the next time')
            [CompletionResult]::new('--db-verify-key', '--db-verify-key', [CompletionResultType]::ParameterName, 'Take only a newer database that is signed with this key: Ed25519 or ECDSA P-256, as PEM')
            [CompletionResult]::new('--severity', '--severity', [CompletionResultType]::ParameterName, 'Report findings of this severity or worse: unknown, negligible, low, medium, high, critical')
            [CompletionResult]::new('--fail-on', '--fail-on', [CompletionResultType]::ParameterName, 'Fail on vulnerabilities of this severity or worse')
            [CompletionResult]::new('--fail-on-secrets', '--fail-on-secrets', [CompletionResultType]::ParameterName, 'Fail on secrets of this severity or worse: low, medium, high, critical')
            [CompletionResult]::new('--unrated', '--unrated', [CompletionResultType]::ParameterName, 'What findings without a severity mean for `--fail-on`: pass, warn, fail, or a severity to take them for')
            [CompletionResult]::new('--epss-above', '--epss-above', [CompletionResultType]::ParameterName, 'Fail above this probability of exploitation within 30 days (EPSS): 0 to 1')
            [CompletionResult]::new('--on-uncovered', '--on-uncovered', [CompletionResultType]::ParameterName, 'What to do if something cannot be evaluated [default: fail if it could not be read, else warn]')
            [CompletionResult]::new('--ignore', '--ignore', [CompletionResultType]::ParameterName, 'Exceptions: a YAML file with entries of id, package, purl, path, reason, expires; may be repeated')
            [CompletionResult]::new('--vex', '--vex', [CompletionResultType]::ParameterName, 'VEX documents: suppress findings marked not_affected or fixed; may be repeated')
            [CompletionResult]::new('--baseline', '--baseline', [CompletionResultType]::ParameterName, 'Fail only on findings not in this earlier document of the image')
            [CompletionResult]::new('--backend', '--backend', [CompletionResultType]::ParameterName, 'Whose API the backend has')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Where it is, as https://HOST; also from SDC_URL, or ANCHORE_CLI_URL for an engine')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Who we are to an Anchore engine; also from ANCHORE_CLI_USER')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'The API token; for an Anchore engine the password')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'Read the token from this file, or from standard input as `-`')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up when there is no verdict within so many seconds')
            [CompletionResult]::new('--poll-interval', '--poll-interval', [CompletionResultType]::ParameterName, 'Look so many seconds apart whether there is a verdict, 300 times at most')
            [CompletionResult]::new('--annotation', '--annotation', [CompletionResultType]::ParameterName, 'Something the backend is to keep with the image; may be repeated')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'The account that the image will be of [default: the backend''s answer, else admin]')
            [CompletionResult]::new('--parent-digest', '--parent-digest', [CompletionResultType]::ParameterName, 'Digest of the manifest list that the image is from [default: the image''s own]')
            [CompletionResult]::new('--created-at', '--created-at', [CompletionResultType]::ParameterName, 'When the image was made, in seconds since 1970 [default: now]')
            [CompletionResult]::new('--pdf', '--pdf', [CompletionResultType]::ParameterName, 'Keep the backend''s report as PDF: a file, or a directory for one that is named by day and image')
            [CompletionResult]::new('--policy', '--policy', [CompletionResultType]::ParameterName, 'Judge also by this bundle of policies: a built-in name, a file of JSON or YAML, or `-`')
            [CompletionResult]::new('--policy-id', '--policy-id', [CompletionResultType]::ParameterName, 'Ask this policy of the bundle, instead of those that its mappings choose')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('--hints', '--hints', [CompletionResultType]::ParameterName, 'Trust the package list in the image (/anchore_hints.json)')
            [CompletionResult]::new('--malware', '--malware', [CompletionResultType]::ParameterName, 'Scan every file with a running clamd (ClamAV)')
            [CompletionResult]::new('--one-file-system', '--one-file-system', [CompletionResultType]::ParameterName, 'Of a root file system (`dir:`), leave out what other file systems hold that are mounted in it')
            [CompletionResult]::new('--timings', '--timings', [CompletionResultType]::ParameterName, 'Show on stderr how long each layer, analyzer and step took')
            [CompletionResult]::new('--no-cache', '--no-cache', [CompletionResultType]::ParameterName, 'Read every layer again, and store nothing in the layer cache')
            [CompletionResult]::new('--registry-password-stdin', '--registry-password-stdin', [CompletionResultType]::ParameterName, 'Read the password of `--registry-user` from standard input')
            [CompletionResult]::new('--allow-foreign-layers', '--allow-foreign-layers', [CompletionResultType]::ParameterName, 'Fetch layers that the registry lacks from the addresses in the manifest')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Do not use the network; whatever needs it is an error')
            [CompletionResult]::new('--insecure-tls', '--insecure-tls', [CompletionResultType]::ParameterName, 'Do not verify certificates of servers: others on the network can read and change what is sent')
            [CompletionResult]::new('--plain-http', '--plain-http', [CompletionResultType]::ParameterName, 'Use plain http instead of https: others on the network can read and change what is sent')
            [CompletionResult]::new('--hide-unfixed', '--hide-unfixed', [CompletionResultType]::ParameterName, 'Hide findings without a fix')
            [CompletionResult]::new('--show-suppressed', '--show-suppressed', [CompletionResultType]::ParameterName, 'Also list suppressed findings, each with its reason')
            [CompletionResult]::new('--keep-owned', '--keep-owned', [CompletionResultType]::ParameterName, 'Also evaluate language packages that an OS package installed')
            [CompletionResult]::new('--lockfiles', '--lockfiles', [CompletionResultType]::ParameterName, 'Also evaluate packages found only in lock files and manifests')
            [CompletionResult]::new('--unimportant', '--unimportant', [CompletionResultType]::ParameterName, 'Count what Debian calls unimportant')
            [CompletionResult]::new('--no-cpe', '--no-cpe', [CompletionResultType]::ParameterName, 'Do not count findings that are matched by CPE name only')
            [CompletionResult]::new('--informational', '--informational', [CompletionResultType]::ParameterName, 'Count notices that are not vulnerabilities, such as unmaintained packages')
            [CompletionResult]::new('--only-fixed', '--only-fixed', [CompletionResultType]::ParameterName, 'Fail only on vulnerabilities with a fix')
            [CompletionResult]::new('--fail-on-kev', '--fail-on-kev', [CompletionResultType]::ParameterName, 'Fail on vulnerabilities that are known to be exploited (CISA KEV)')
            [CompletionResult]::new('--upload', '--upload', [CompletionResultType]::ParameterName, 'Also get the verdict of a backend: the image passes only if the backend passes it')
            [CompletionResult]::new('--on-premises', '--on-premises', [CompletionResultType]::ParameterName, 'The result''s address has `/secure` in it, as on premises')
            [CompletionResult]::new('--remove-failed', '--remove-failed', [CompletionResultType]::ParameterName, 'Remove the image from the backend if it fails')
            [CompletionResult]::new('--replace', '--replace', [CompletionResultType]::ParameterName, 'Remove the image from the backend first, and send it again')
            [CompletionResult]::new('--policy-strict', '--policy-strict', [CompletionResultType]::ParameterName, 'Refuse a bundle with any error, even in parts that this image does not use')
            [CompletionResult]::new('--policy-all', '--policy-all', [CompletionResultType]::ParameterName, 'List every match of every rule in the table, not only the first few')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;evaluate' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'What to write, and where to (standard output unless a file is named); may be repeated')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write, and where to (standard output unless a file is named); may be repeated')
            [CompletionResult]::new('--template', '--template', [CompletionResultType]::ParameterName, 'The template that `-o template` fills in, in the language of Jinja (docs/reports.md)')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The vulnerability database [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]')
            [CompletionResult]::new('--db-max-age', '--db-max-age', [CompletionResultType]::ParameterName, 'The oldest data to judge with: an age as 5d, 36h or 2w, and what then, as 5d:warn or 5d:fail')
            [CompletionResult]::new('--db-update', '--db-update', [CompletionResultType]::ParameterName, 'Fetch a newer database from here first, where that was not tried within a day')
            [CompletionResult]::new('--db-update-deadline', '--db-update-deadline', [CompletionResultType]::ParameterName, 'How long to wait for a newer database; what has come by then is kept for the next time')
            [CompletionResult]::new('--db-verify-key', '--db-verify-key', [CompletionResultType]::ParameterName, 'Take only a newer database that is signed with this key: Ed25519 or ECDSA P-256, as PEM')
            [CompletionResult]::new('--severity', '--severity', [CompletionResultType]::ParameterName, 'Report findings of this severity or worse: unknown, negligible, low, medium, high, critical')
            [CompletionResult]::new('--fail-on', '--fail-on', [CompletionResultType]::ParameterName, 'Fail on vulnerabilities of this severity or worse')
            [CompletionResult]::new('--fail-on-secrets', '--fail-on-secrets', [CompletionResultType]::ParameterName, 'Fail on secrets of this severity or worse: low, medium, high, critical')
            [CompletionResult]::new('--unrated', '--unrated', [CompletionResultType]::ParameterName, 'What findings without a severity mean for `--fail-on`: pass, warn, fail, or a severity to take them for')
            [CompletionResult]::new('--epss-above', '--epss-above', [CompletionResultType]::ParameterName, 'Fail above this probability of exploitation within 30 days (EPSS): 0 to 1')
            [CompletionResult]::new('--on-uncovered', '--on-uncovered', [CompletionResultType]::ParameterName, 'What to do if something cannot be evaluated [default: fail if it could not be read, else warn]')
            [CompletionResult]::new('--ignore', '--ignore', [CompletionResultType]::ParameterName, 'Exceptions: a YAML file with entries of id, package, purl, path, reason, expires; may be repeated')
            [CompletionResult]::new('--vex', '--vex', [CompletionResultType]::ParameterName, 'VEX documents: suppress findings marked not_affected or fixed; may be repeated')
            [CompletionResult]::new('--baseline', '--baseline', [CompletionResultType]::ParameterName, 'Fail only on findings not in this earlier document of the image')
            [CompletionResult]::new('--policy', '--policy', [CompletionResultType]::ParameterName, 'Judge also by this bundle of policies: a built-in name, a file of JSON or YAML, or `-`')
            [CompletionResult]::new('--policy-id', '--policy-id', [CompletionResultType]::ParameterName, 'Ask this policy of the bundle, instead of those that its mappings choose')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'The full name by which policies know the image [default: what the document says]')
            [CompletionResult]::new('--image-digest', '--image-digest', [CompletionResultType]::ParameterName, 'The manifest digest by which policies know the image [default: what the document says]')
            [CompletionResult]::new('--authfile', '--authfile', [CompletionResultType]::ParameterName, 'The file with credentials, as `podman login --authfile` and `docker login` write it [default: REGISTRY_AUTH_FILE, else the usual places of podman and docker]')
            [CompletionResult]::new('--registries-conf', '--registries-conf', [CompletionResultType]::ParameterName, 'The file with mirrors, other locations and blocked hosts [default: registries.conf and registries.conf.d where podman has them]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust the certificates in this PEM file too; may be repeated')
            [CompletionResult]::new('--client-cert', '--client-cert', [CompletionResultType]::ParameterName, 'Show this certificate (PEM) to servers that ask for one')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'The private key (PEM) of the client certificate, where it is in a file of its own')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Give a server up that cannot be reached within so many seconds')
            [CompletionResult]::new('--stall-timeout', '--stall-timeout', [CompletionResultType]::ParameterName, 'Abort after this many seconds without data')
            [CompletionResult]::new('--retries', '--retries', [CompletionResultType]::ParameterName, 'How often to ask again where that may help, with longer and longer waits between')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('--hide-unfixed', '--hide-unfixed', [CompletionResultType]::ParameterName, 'Hide findings without a fix')
            [CompletionResult]::new('--show-suppressed', '--show-suppressed', [CompletionResultType]::ParameterName, 'Also list suppressed findings, each with its reason')
            [CompletionResult]::new('--keep-owned', '--keep-owned', [CompletionResultType]::ParameterName, 'Also evaluate language packages that an OS package installed')
            [CompletionResult]::new('--lockfiles', '--lockfiles', [CompletionResultType]::ParameterName, 'Also evaluate packages found only in lock files and manifests')
            [CompletionResult]::new('--unimportant', '--unimportant', [CompletionResultType]::ParameterName, 'Count what Debian calls unimportant')
            [CompletionResult]::new('--no-cpe', '--no-cpe', [CompletionResultType]::ParameterName, 'Do not count findings that are matched by CPE name only')
            [CompletionResult]::new('--informational', '--informational', [CompletionResultType]::ParameterName, 'Count notices that are not vulnerabilities, such as unmaintained packages')
            [CompletionResult]::new('--only-fixed', '--only-fixed', [CompletionResultType]::ParameterName, 'Fail only on vulnerabilities with a fix')
            [CompletionResult]::new('--fail-on-kev', '--fail-on-kev', [CompletionResultType]::ParameterName, 'Fail on vulnerabilities that are known to be exploited (CISA KEV)')
            [CompletionResult]::new('--policy-strict', '--policy-strict', [CompletionResultType]::ParameterName, 'Refuse a bundle with any error, even in parts that this image does not use')
            [CompletionResult]::new('--policy-all', '--policy-all', [CompletionResultType]::ParameterName, 'List every match of every rule in the table, not only the first few')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Do not use the network; whatever needs it is an error')
            [CompletionResult]::new('--insecure-tls', '--insecure-tls', [CompletionResultType]::ParameterName, 'Do not verify certificates of servers: others on the network can read and change what is sent')
            [CompletionResult]::new('--plain-http', '--plain-http', [CompletionResultType]::ParameterName, 'Use plain http instead of https: others on the network can read and change what is sent')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;explain' {
            [CompletionResult]::new('--platform', '--platform', [CompletionResultType]::ParameterName, 'The platform to take from an image made for several, as OS/ARCH[/VARIANT][:VERSION]')
            [CompletionResult]::new('--containerd-namespace', '--containerd-namespace', [CompletionResultType]::ParameterName, 'The namespace of containerd that has the image [default: whichever has it]')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'The full name to give the image: registry, repository and tag')
            [CompletionResult]::new('--image-digest', '--image-digest', [CompletionResultType]::ParameterName, 'The manifest digest to give the image, instead of the one it has')
            [CompletionResult]::new('--image-id', '--image-id', [CompletionResultType]::ParameterName, 'The image id to give the image, instead of the one it has: 64 hex digits')
            [CompletionResult]::new('--dockerfile', '--dockerfile', [CompletionResultType]::ParameterName, 'The Dockerfile that made the image; without it, one is guessed from its history')
            [CompletionResult]::new('--analyzer-config', '--analyzer-config', [CompletionResultType]::ParameterName, 'What the analyzers look for: the legacy engine''s analyzer_config.yaml')
            [CompletionResult]::new('--only', '--only', [CompletionResultType]::ParameterName, 'Analyze only these parts, in less time: packages, secrets, files; several with commas')
            [CompletionResult]::new('--digests', '--digests', [CompletionResultType]::ParameterName, 'More digests of every file, in addition to md5, sha1 and sha256')
            [CompletionResult]::new('--clamd', '--clamd', [CompletionResultType]::ParameterName, 'Where clamd listens: a socket, or HOST:PORT [default: where Debian has it]')
            [CompletionResult]::new('--image-budget', '--image-budget', [CompletionResultType]::ParameterName, 'How many times as much as usual an image may ask for: bytes that its layers unpack to, entries, packages')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'How many threads to work with [default: one per core]')
            [CompletionResult]::new('--cache-dir', '--cache-dir', [CompletionResultType]::ParameterName, 'The directory to keep layers in [default: $XDG_CACHE_HOME/inscan, ~/.cache/inscan]')
            [CompletionResult]::new('--cache-size', '--cache-size', [CompletionResultType]::ParameterName, 'How large the cache may get: what was not used for the longest time goes first')
            [CompletionResult]::new('--registry-user', '--registry-user', [CompletionResultType]::ParameterName, 'Log in to the image''s registry as this user')
            [CompletionResult]::new('--registry-token', '--registry-token', [CompletionResultType]::ParameterName, 'Show this token to the image''s registry')
            [CompletionResult]::new('--authfile', '--authfile', [CompletionResultType]::ParameterName, 'The file with credentials, as `podman login --authfile` and `docker login` write it [default: REGISTRY_AUTH_FILE, else the usual places of podman and docker]')
            [CompletionResult]::new('--registries-conf', '--registries-conf', [CompletionResultType]::ParameterName, 'The file with mirrors, other locations and blocked hosts [default: registries.conf and registries.conf.d where podman has them]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust the certificates in this PEM file too; may be repeated')
            [CompletionResult]::new('--client-cert', '--client-cert', [CompletionResultType]::ParameterName, 'Show this certificate (PEM) to servers that ask for one')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'The private key (PEM) of the client certificate, where it is in a file of its own')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Give a server up that cannot be reached within so many seconds')
            [CompletionResult]::new('--stall-timeout', '--stall-timeout', [CompletionResultType]::ParameterName, 'Abort after this many seconds without data')
            [CompletionResult]::new('--retries', '--retries', [CompletionResultType]::ParameterName, 'How often to ask again where that may help, with longer and longer waits between')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The vulnerability database [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]')
            [CompletionResult]::new('--db-max-age', '--db-max-age', [CompletionResultType]::ParameterName, 'The oldest data to judge with: an age as 5d, 36h or 2w, and what then, as 5d:warn or 5d:fail')
            [CompletionResult]::new('--db-update', '--db-update', [CompletionResultType]::ParameterName, 'Fetch a newer database from here first, where that was not tried within a day')
            [CompletionResult]::new('--db-update-deadline', '--db-update-deadline', [CompletionResultType]::ParameterName, 'How long to wait for a newer database; what has come by then is kept for the next time')
            [CompletionResult]::new('--db-verify-key', '--db-verify-key', [CompletionResultType]::ParameterName, 'Take only a newer database that is signed with this key: Ed25519 or ECDSA P-256, as PEM')
            [CompletionResult]::new('--severity', '--severity', [CompletionResultType]::ParameterName, 'Report findings of this severity or worse: unknown, negligible, low, medium, high, critical')
            [CompletionResult]::new('--fail-on', '--fail-on', [CompletionResultType]::ParameterName, 'Fail on vulnerabilities of this severity or worse')
            [CompletionResult]::new('--fail-on-secrets', '--fail-on-secrets', [CompletionResultType]::ParameterName, 'Fail on secrets of this severity or worse: low, medium, high, critical')
            [CompletionResult]::new('--unrated', '--unrated', [CompletionResultType]::ParameterName, 'What findings without a severity mean for `--fail-on`: pass, warn, fail, or a severity to take them for')
            [CompletionResult]::new('--epss-above', '--epss-above', [CompletionResultType]::ParameterName, 'Fail above this probability of exploitation within 30 days (EPSS): 0 to 1')
            [CompletionResult]::new('--on-uncovered', '--on-uncovered', [CompletionResultType]::ParameterName, 'What to do if something cannot be evaluated [default: fail if it could not be read, else warn]')
            [CompletionResult]::new('--ignore', '--ignore', [CompletionResultType]::ParameterName, 'Exceptions: a YAML file with entries of id, package, purl, path, reason, expires; may be repeated')
            [CompletionResult]::new('--vex', '--vex', [CompletionResultType]::ParameterName, 'VEX documents: suppress findings marked not_affected or fixed; may be repeated')
            [CompletionResult]::new('--baseline', '--baseline', [CompletionResultType]::ParameterName, 'Fail only on findings not in this earlier document of the image')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('--hints', '--hints', [CompletionResultType]::ParameterName, 'Trust the package list in the image (/anchore_hints.json)')
            [CompletionResult]::new('--malware', '--malware', [CompletionResultType]::ParameterName, 'Scan every file with a running clamd (ClamAV)')
            [CompletionResult]::new('--one-file-system', '--one-file-system', [CompletionResultType]::ParameterName, 'Of a root file system (`dir:`), leave out what other file systems hold that are mounted in it')
            [CompletionResult]::new('--timings', '--timings', [CompletionResultType]::ParameterName, 'Show on stderr how long each layer, analyzer and step took')
            [CompletionResult]::new('--no-cache', '--no-cache', [CompletionResultType]::ParameterName, 'Read every layer again, and store nothing in the layer cache')
            [CompletionResult]::new('--registry-password-stdin', '--registry-password-stdin', [CompletionResultType]::ParameterName, 'Read the password of `--registry-user` from standard input')
            [CompletionResult]::new('--allow-foreign-layers', '--allow-foreign-layers', [CompletionResultType]::ParameterName, 'Fetch layers that the registry lacks from the addresses in the manifest')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Do not use the network; whatever needs it is an error')
            [CompletionResult]::new('--insecure-tls', '--insecure-tls', [CompletionResultType]::ParameterName, 'Do not verify certificates of servers: others on the network can read and change what is sent')
            [CompletionResult]::new('--plain-http', '--plain-http', [CompletionResultType]::ParameterName, 'Use plain http instead of https: others on the network can read and change what is sent')
            [CompletionResult]::new('--hide-unfixed', '--hide-unfixed', [CompletionResultType]::ParameterName, 'Hide findings without a fix')
            [CompletionResult]::new('--show-suppressed', '--show-suppressed', [CompletionResultType]::ParameterName, 'Also list suppressed findings, each with its reason')
            [CompletionResult]::new('--keep-owned', '--keep-owned', [CompletionResultType]::ParameterName, 'Also evaluate language packages that an OS package installed')
            [CompletionResult]::new('--lockfiles', '--lockfiles', [CompletionResultType]::ParameterName, 'Also evaluate packages found only in lock files and manifests')
            [CompletionResult]::new('--unimportant', '--unimportant', [CompletionResultType]::ParameterName, 'Count what Debian calls unimportant')
            [CompletionResult]::new('--no-cpe', '--no-cpe', [CompletionResultType]::ParameterName, 'Do not count findings that are matched by CPE name only')
            [CompletionResult]::new('--informational', '--informational', [CompletionResultType]::ParameterName, 'Count notices that are not vulnerabilities, such as unmaintained packages')
            [CompletionResult]::new('--only-fixed', '--only-fixed', [CompletionResultType]::ParameterName, 'Fail only on vulnerabilities with a fix')
            [CompletionResult]::new('--fail-on-kev', '--fail-on-kev', [CompletionResultType]::ParameterName, 'Fail on vulnerabilities that are known to be exploited (CISA KEV)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;archive' {
            [CompletionResult]::new('--platform', '--platform', [CompletionResultType]::ParameterName, 'The platform to take from an image made for several, as OS/ARCH[/VARIANT][:VERSION]')
            [CompletionResult]::new('--containerd-namespace', '--containerd-namespace', [CompletionResultType]::ParameterName, 'The namespace of containerd that has the image [default: whichever has it]')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'The full name to give the image: registry, repository and tag')
            [CompletionResult]::new('--image-digest', '--image-digest', [CompletionResultType]::ParameterName, 'The manifest digest to give the image, instead of the one it has')
            [CompletionResult]::new('--image-id', '--image-id', [CompletionResultType]::ParameterName, 'The image id to give the image, instead of the one it has: 64 hex digits')
            [CompletionResult]::new('--dockerfile', '--dockerfile', [CompletionResultType]::ParameterName, 'The Dockerfile that made the image; without it, one is guessed from its history')
            [CompletionResult]::new('--analyzer-config', '--analyzer-config', [CompletionResultType]::ParameterName, 'What the analyzers look for: the legacy engine''s analyzer_config.yaml')
            [CompletionResult]::new('--only', '--only', [CompletionResultType]::ParameterName, 'Analyze only these parts, in less time: packages, secrets, files; several with commas')
            [CompletionResult]::new('--digests', '--digests', [CompletionResultType]::ParameterName, 'More digests of every file, in addition to md5, sha1 and sha256')
            [CompletionResult]::new('--clamd', '--clamd', [CompletionResultType]::ParameterName, 'Where clamd listens: a socket, or HOST:PORT [default: where Debian has it]')
            [CompletionResult]::new('--image-budget', '--image-budget', [CompletionResultType]::ParameterName, 'How many times as much as usual an image may ask for: bytes that its layers unpack to, entries, packages')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'How many threads to work with [default: one per core]')
            [CompletionResult]::new('--cache-dir', '--cache-dir', [CompletionResultType]::ParameterName, 'The directory to keep layers in [default: $XDG_CACHE_HOME/inscan, ~/.cache/inscan]')
            [CompletionResult]::new('--cache-size', '--cache-size', [CompletionResultType]::ParameterName, 'How large the cache may get: what was not used for the longest time goes first')
            [CompletionResult]::new('--registry-user', '--registry-user', [CompletionResultType]::ParameterName, 'Log in to the image''s registry as this user')
            [CompletionResult]::new('--registry-token', '--registry-token', [CompletionResultType]::ParameterName, 'Show this token to the image''s registry')
            [CompletionResult]::new('--authfile', '--authfile', [CompletionResultType]::ParameterName, 'The file with credentials, as `podman login --authfile` and `docker login` write it [default: REGISTRY_AUTH_FILE, else the usual places of podman and docker]')
            [CompletionResult]::new('--registries-conf', '--registries-conf', [CompletionResultType]::ParameterName, 'The file with mirrors, other locations and blocked hosts [default: registries.conf and registries.conf.d where podman has them]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust the certificates in this PEM file too; may be repeated')
            [CompletionResult]::new('--client-cert', '--client-cert', [CompletionResultType]::ParameterName, 'Show this certificate (PEM) to servers that ask for one')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'The private key (PEM) of the client certificate, where it is in a file of its own')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Give a server up that cannot be reached within so many seconds')
            [CompletionResult]::new('--stall-timeout', '--stall-timeout', [CompletionResultType]::ParameterName, 'Abort after this many seconds without data')
            [CompletionResult]::new('--retries', '--retries', [CompletionResultType]::ParameterName, 'How often to ask again where that may help, with longer and longer waits between')
            [CompletionResult]::new('--annotation', '--annotation', [CompletionResultType]::ParameterName, 'Something the backend is to keep with the image; may be repeated')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'The account that the image will be of [default: the backend''s answer, else admin]')
            [CompletionResult]::new('--parent-digest', '--parent-digest', [CompletionResultType]::ParameterName, 'Digest of the manifest list that the image is from [default: the image''s own]')
            [CompletionResult]::new('--created-at', '--created-at', [CompletionResultType]::ParameterName, 'When the image was made, in seconds since 1970 [default: now]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'What to write, and where to (standard output unless a file is named)')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write, and where to (standard output unless a file is named)')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('--hints', '--hints', [CompletionResultType]::ParameterName, 'Trust the package list in the image (/anchore_hints.json)')
            [CompletionResult]::new('--malware', '--malware', [CompletionResultType]::ParameterName, 'Scan every file with a running clamd (ClamAV)')
            [CompletionResult]::new('--one-file-system', '--one-file-system', [CompletionResultType]::ParameterName, 'Of a root file system (`dir:`), leave out what other file systems hold that are mounted in it')
            [CompletionResult]::new('--timings', '--timings', [CompletionResultType]::ParameterName, 'Show on stderr how long each layer, analyzer and step took')
            [CompletionResult]::new('--no-cache', '--no-cache', [CompletionResultType]::ParameterName, 'Read every layer again, and store nothing in the layer cache')
            [CompletionResult]::new('--registry-password-stdin', '--registry-password-stdin', [CompletionResultType]::ParameterName, 'Read the password of `--registry-user` from standard input')
            [CompletionResult]::new('--allow-foreign-layers', '--allow-foreign-layers', [CompletionResultType]::ParameterName, 'Fetch layers that the registry lacks from the addresses in the manifest')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Do not use the network; whatever needs it is an error')
            [CompletionResult]::new('--insecure-tls', '--insecure-tls', [CompletionResultType]::ParameterName, 'Do not verify certificates of servers: others on the network can read and change what is sent')
            [CompletionResult]::new('--plain-http', '--plain-http', [CompletionResultType]::ParameterName, 'Use plain http instead of https: others on the network can read and change what is sent')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;upload' {
            [CompletionResult]::new('--platform', '--platform', [CompletionResultType]::ParameterName, 'The platform to take from an image made for several, as OS/ARCH[/VARIANT][:VERSION]')
            [CompletionResult]::new('--containerd-namespace', '--containerd-namespace', [CompletionResultType]::ParameterName, 'The namespace of containerd that has the image [default: whichever has it]')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'The full name to give the image: registry, repository and tag')
            [CompletionResult]::new('--image-digest', '--image-digest', [CompletionResultType]::ParameterName, 'The manifest digest to give the image, instead of the one it has')
            [CompletionResult]::new('--image-id', '--image-id', [CompletionResultType]::ParameterName, 'The image id to give the image, instead of the one it has: 64 hex digits')
            [CompletionResult]::new('--dockerfile', '--dockerfile', [CompletionResultType]::ParameterName, 'The Dockerfile that made the image; without it, one is guessed from its history')
            [CompletionResult]::new('--analyzer-config', '--analyzer-config', [CompletionResultType]::ParameterName, 'What the analyzers look for: the legacy engine''s analyzer_config.yaml')
            [CompletionResult]::new('--only', '--only', [CompletionResultType]::ParameterName, 'Analyze only these parts, in less time: packages, secrets, files; several with commas')
            [CompletionResult]::new('--digests', '--digests', [CompletionResultType]::ParameterName, 'More digests of every file, in addition to md5, sha1 and sha256')
            [CompletionResult]::new('--clamd', '--clamd', [CompletionResultType]::ParameterName, 'Where clamd listens: a socket, or HOST:PORT [default: where Debian has it]')
            [CompletionResult]::new('--image-budget', '--image-budget', [CompletionResultType]::ParameterName, 'How many times as much as usual an image may ask for: bytes that its layers unpack to, entries, packages')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'How many threads to work with [default: one per core]')
            [CompletionResult]::new('--cache-dir', '--cache-dir', [CompletionResultType]::ParameterName, 'The directory to keep layers in [default: $XDG_CACHE_HOME/inscan, ~/.cache/inscan]')
            [CompletionResult]::new('--cache-size', '--cache-size', [CompletionResultType]::ParameterName, 'How large the cache may get: what was not used for the longest time goes first')
            [CompletionResult]::new('--registry-user', '--registry-user', [CompletionResultType]::ParameterName, 'Log in to the image''s registry as this user')
            [CompletionResult]::new('--registry-token', '--registry-token', [CompletionResultType]::ParameterName, 'Show this token to the image''s registry')
            [CompletionResult]::new('--authfile', '--authfile', [CompletionResultType]::ParameterName, 'The file with credentials, as `podman login --authfile` and `docker login` write it [default: REGISTRY_AUTH_FILE, else the usual places of podman and docker]')
            [CompletionResult]::new('--registries-conf', '--registries-conf', [CompletionResultType]::ParameterName, 'The file with mirrors, other locations and blocked hosts [default: registries.conf and registries.conf.d where podman has them]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust the certificates in this PEM file too; may be repeated')
            [CompletionResult]::new('--client-cert', '--client-cert', [CompletionResultType]::ParameterName, 'Show this certificate (PEM) to servers that ask for one')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'The private key (PEM) of the client certificate, where it is in a file of its own')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Give a server up that cannot be reached within so many seconds')
            [CompletionResult]::new('--stall-timeout', '--stall-timeout', [CompletionResultType]::ParameterName, 'Abort after this many seconds without data')
            [CompletionResult]::new('--retries', '--retries', [CompletionResultType]::ParameterName, 'How often to ask again where that may help, with longer and longer waits between')
            [CompletionResult]::new('--backend', '--backend', [CompletionResultType]::ParameterName, 'Whose API the backend has')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Where it is, as https://HOST; also from SDC_URL, or ANCHORE_CLI_URL for an engine')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Who we are to an Anchore engine; also from ANCHORE_CLI_USER')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'The API token; for an Anchore engine the password')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'Read the token from this file, or from standard input as `-`')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up when there is no verdict within so many seconds')
            [CompletionResult]::new('--poll-interval', '--poll-interval', [CompletionResultType]::ParameterName, 'Look so many seconds apart whether there is a verdict, 300 times at most')
            [CompletionResult]::new('--annotation', '--annotation', [CompletionResultType]::ParameterName, 'Something the backend is to keep with the image; may be repeated')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'The account that the image will be of [default: the backend''s answer, else admin]')
            [CompletionResult]::new('--parent-digest', '--parent-digest', [CompletionResultType]::ParameterName, 'Digest of the manifest list that the image is from [default: the image''s own]')
            [CompletionResult]::new('--created-at', '--created-at', [CompletionResultType]::ParameterName, 'When the image was made, in seconds since 1970 [default: now]')
            [CompletionResult]::new('--pdf', '--pdf', [CompletionResultType]::ParameterName, 'Keep the backend''s report as PDF: a file, or a directory for one that is named by day and image')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'What to write, and where to (standard output unless a file is named); may be repeated')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write, and where to (standard output unless a file is named); may be repeated')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('--hints', '--hints', [CompletionResultType]::ParameterName, 'Trust the package list in the image (/anchore_hints.json)')
            [CompletionResult]::new('--malware', '--malware', [CompletionResultType]::ParameterName, 'Scan every file with a running clamd (ClamAV)')
            [CompletionResult]::new('--one-file-system', '--one-file-system', [CompletionResultType]::ParameterName, 'Of a root file system (`dir:`), leave out what other file systems hold that are mounted in it')
            [CompletionResult]::new('--timings', '--timings', [CompletionResultType]::ParameterName, 'Show on stderr how long each layer, analyzer and step took')
            [CompletionResult]::new('--no-cache', '--no-cache', [CompletionResultType]::ParameterName, 'Read every layer again, and store nothing in the layer cache')
            [CompletionResult]::new('--registry-password-stdin', '--registry-password-stdin', [CompletionResultType]::ParameterName, 'Read the password of `--registry-user` from standard input')
            [CompletionResult]::new('--allow-foreign-layers', '--allow-foreign-layers', [CompletionResultType]::ParameterName, 'Fetch layers that the registry lacks from the addresses in the manifest')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Do not use the network; whatever needs it is an error')
            [CompletionResult]::new('--insecure-tls', '--insecure-tls', [CompletionResultType]::ParameterName, 'Do not verify certificates of servers: others on the network can read and change what is sent')
            [CompletionResult]::new('--plain-http', '--plain-http', [CompletionResultType]::ParameterName, 'Use plain http instead of https: others on the network can read and change what is sent')
            [CompletionResult]::new('--on-premises', '--on-premises', [CompletionResultType]::ParameterName, 'The result''s address has `/secure` in it, as on premises')
            [CompletionResult]::new('--remove-failed', '--remove-failed', [CompletionResultType]::ParameterName, 'Remove the image from the backend if it fails')
            [CompletionResult]::new('--replace', '--replace', [CompletionResultType]::ParameterName, 'Remove the image from the backend first, and send it again')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;legacy' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            break
        }
        'inscan;analyzers' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'What to write, and where to (standard output unless a file is named); may be repeated')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write, and where to (standard output unless a file is named); may be repeated')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;cache' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show its directory, its size, and how much this version can use')
            [CompletionResult]::new('clean', 'clean', [CompletionResultType]::ParameterValue, 'Remove all entries, or those that were not used lately')
            [CompletionResult]::new('path', 'path', [CompletionResultType]::ParameterValue, 'Print its directory')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'inscan;cache;status' {
            [CompletionResult]::new('--cache-dir', '--cache-dir', [CompletionResultType]::ParameterName, 'The directory to keep layers in [default: $XDG_CACHE_HOME/inscan, ~/.cache/inscan]')
            [CompletionResult]::new('--cache-size', '--cache-size', [CompletionResultType]::ParameterName, 'The limit to show it beside')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;cache;clean' {
            [CompletionResult]::new('--cache-dir', '--cache-dir', [CompletionResultType]::ParameterName, 'The directory to keep layers in [default: $XDG_CACHE_HOME/inscan, ~/.cache/inscan]')
            [CompletionResult]::new('--older-than', '--older-than', [CompletionResultType]::ParameterName, 'Only what was not used for so many days')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;cache;path' {
            [CompletionResult]::new('--cache-dir', '--cache-dir', [CompletionResultType]::ParameterName, 'The directory to keep layers in [default: $XDG_CACHE_HOME/inscan, ~/.cache/inscan]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;cache;help' {
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show its directory, its size, and how much this version can use')
            [CompletionResult]::new('clean', 'clean', [CompletionResultType]::ParameterValue, 'Remove all entries, or those that were not used lately')
            [CompletionResult]::new('path', 'path', [CompletionResultType]::ParameterValue, 'Print its directory')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'inscan;cache;help;status' {
            break
        }
        'inscan;cache;help;clean' {
            break
        }
        'inscan;cache;help;path' {
            break
        }
        'inscan;cache;help;help' {
            break
        }
        'inscan;db' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('build', 'build', [CompletionResultType]::ParameterValue, 'Build a database from files of many sources')
            [CompletionResult]::new('update', 'update', [CompletionResultType]::ParameterValue, 'Fetch a newer database, or what one is built of')
            [CompletionResult]::new('push', 'push', [CompletionResultType]::ParameterValue, 'Push a database to a registry, for `inscan db update oci://…`')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show the content and age of the database')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Copy the database to a file, for another machine')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Copy a database file to where scans look for it')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Verify a database: its checksum, structure and signature')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show everything about a vulnerability')
            [CompletionResult]::new('search', 'search', [CompletionResultType]::ParameterValue, 'List the advisories that name a package')
            [CompletionResult]::new('diff', 'diff', [CompletionResultType]::ParameterValue, 'Show what is new or gone in a newer database')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'inscan;db;build' {
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'A file or folder to read; may be repeated')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Where to write the database')
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'Where to write the database')
            [CompletionResult]::new('--previous', '--previous', [CompletionResultType]::ParameterName, 'The database before this one, which knows when a feed''s records and fixes were first seen')
            [CompletionResult]::new('--report', '--report', [CompletionResultType]::ParameterName, 'How to report what was read, and where to (standard output unless a file is named)')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;db;update' {
            [CompletionResult]::new('--ecosystem', '--ecosystem', [CompletionResultType]::ParameterName, 'Of the public sources'' advisories only this ecosystem, as OSV calls it; may be repeated')
            [CompletionResult]::new('--mirror', '--mirror', [CompletionResultType]::ParameterName, 'A mirror of the public sources: each is asked at MIRROR/HOST/PATH')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database file [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]')
            [CompletionResult]::new('--verify-key', '--verify-key', [CompletionResultType]::ParameterName, 'Verify the signature (URL.sig) with this public key: Ed25519 or ECDSA P-256, as PEM')
            [CompletionResult]::new('--deadline', '--deadline', [CompletionResultType]::ParameterName, 'Give up after so many seconds; what has come by then is kept for the next time')
            [CompletionResult]::new('--registry-user', '--registry-user', [CompletionResultType]::ParameterName, 'Log in to the image''s registry as this user')
            [CompletionResult]::new('--registry-token', '--registry-token', [CompletionResultType]::ParameterName, 'Show this token to the image''s registry')
            [CompletionResult]::new('--authfile', '--authfile', [CompletionResultType]::ParameterName, 'The file with credentials, as `podman login --authfile` and `docker login` write it [default: REGISTRY_AUTH_FILE, else the usual places of podman and docker]')
            [CompletionResult]::new('--registries-conf', '--registries-conf', [CompletionResultType]::ParameterName, 'The file with mirrors, other locations and blocked hosts [default: registries.conf and registries.conf.d where podman has them]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust the certificates in this PEM file too; may be repeated')
            [CompletionResult]::new('--client-cert', '--client-cert', [CompletionResultType]::ParameterName, 'Show this certificate (PEM) to servers that ask for one')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'The private key (PEM) of the client certificate, where it is in a file of its own')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Give a server up that cannot be reached within so many seconds')
            [CompletionResult]::new('--stall-timeout', '--stall-timeout', [CompletionResultType]::ParameterName, 'Abort after this many seconds without data')
            [CompletionResult]::new('--retries', '--retries', [CompletionResultType]::ParameterName, 'How often to ask again where that may help, with longer and longer waits between')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Check the source even if that was done within a day')
            [CompletionResult]::new('--registry-password-stdin', '--registry-password-stdin', [CompletionResultType]::ParameterName, 'Read the password of `--registry-user` from standard input')
            [CompletionResult]::new('--allow-foreign-layers', '--allow-foreign-layers', [CompletionResultType]::ParameterName, 'Fetch layers that the registry lacks from the addresses in the manifest')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Do not use the network; whatever needs it is an error')
            [CompletionResult]::new('--insecure-tls', '--insecure-tls', [CompletionResultType]::ParameterName, 'Do not verify certificates of servers: others on the network can read and change what is sent')
            [CompletionResult]::new('--plain-http', '--plain-http', [CompletionResultType]::ParameterName, 'Use plain http instead of https: others on the network can read and change what is sent')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;db;push' {
            [CompletionResult]::new('--signature', '--signature', [CompletionResultType]::ParameterName, 'The file with its signature')
            [CompletionResult]::new('--registry-user', '--registry-user', [CompletionResultType]::ParameterName, 'Log in to the image''s registry as this user')
            [CompletionResult]::new('--registry-token', '--registry-token', [CompletionResultType]::ParameterName, 'Show this token to the image''s registry')
            [CompletionResult]::new('--authfile', '--authfile', [CompletionResultType]::ParameterName, 'The file with credentials, as `podman login --authfile` and `docker login` write it [default: REGISTRY_AUTH_FILE, else the usual places of podman and docker]')
            [CompletionResult]::new('--registries-conf', '--registries-conf', [CompletionResultType]::ParameterName, 'The file with mirrors, other locations and blocked hosts [default: registries.conf and registries.conf.d where podman has them]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust the certificates in this PEM file too; may be repeated')
            [CompletionResult]::new('--client-cert', '--client-cert', [CompletionResultType]::ParameterName, 'Show this certificate (PEM) to servers that ask for one')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'The private key (PEM) of the client certificate, where it is in a file of its own')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Give a server up that cannot be reached within so many seconds')
            [CompletionResult]::new('--stall-timeout', '--stall-timeout', [CompletionResultType]::ParameterName, 'Abort after this many seconds without data')
            [CompletionResult]::new('--retries', '--retries', [CompletionResultType]::ParameterName, 'How often to ask again where that may help, with longer and longer waits between')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('--registry-password-stdin', '--registry-password-stdin', [CompletionResultType]::ParameterName, 'Read the password of `--registry-user` from standard input')
            [CompletionResult]::new('--allow-foreign-layers', '--allow-foreign-layers', [CompletionResultType]::ParameterName, 'Fetch layers that the registry lacks from the addresses in the manifest')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Do not use the network; whatever needs it is an error')
            [CompletionResult]::new('--insecure-tls', '--insecure-tls', [CompletionResultType]::ParameterName, 'Do not verify certificates of servers: others on the network can read and change what is sent')
            [CompletionResult]::new('--plain-http', '--plain-http', [CompletionResultType]::ParameterName, 'Use plain http instead of https: others on the network can read and change what is sent')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;db;status' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database file [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to say it, and where to (standard output unless a file is named); may be repeated')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to say it, and where to (standard output unless a file is named); may be repeated')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;db;export' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database file [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;db;import' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database file [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]')
            [CompletionResult]::new('--verify-key', '--verify-key', [CompletionResultType]::ParameterName, 'Verify the signature with this public key: Ed25519 or ECDSA P-256, as PEM')
            [CompletionResult]::new('--signature', '--signature', [CompletionResultType]::ParameterName, 'The file with the signature [default: the database''s name and `.sig`]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;db;verify' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database file [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]')
            [CompletionResult]::new('--verify-key', '--verify-key', [CompletionResultType]::ParameterName, 'Verify the signature with this public key: Ed25519 or ECDSA P-256, as PEM')
            [CompletionResult]::new('--signature', '--signature', [CompletionResultType]::ParameterName, 'The file with the signature [default: the database''s name and `.sig`]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;db;show' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database file [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to show it, and where to (standard output unless a file is named); may be repeated')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to show it, and where to (standard output unless a file is named); may be repeated')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;db;search' {
            [CompletionResult]::new('--ecosystem', '--ecosystem', [CompletionResultType]::ParameterName, 'Only in this ecosystem; a distribution without its release is meant with all of them')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database file [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to list them, and where to (standard output unless a file is named); may be repeated')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to list them, and where to (standard output unless a file is named); may be repeated')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;db;diff' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to say it, and where to (standard output unless a file is named); may be repeated')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to say it, and where to (standard output unless a file is named); may be repeated')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;db;help' {
            [CompletionResult]::new('build', 'build', [CompletionResultType]::ParameterValue, 'Build a database from files of many sources')
            [CompletionResult]::new('update', 'update', [CompletionResultType]::ParameterValue, 'Fetch a newer database, or what one is built of')
            [CompletionResult]::new('push', 'push', [CompletionResultType]::ParameterValue, 'Push a database to a registry, for `inscan db update oci://…`')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show the content and age of the database')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Copy the database to a file, for another machine')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Copy a database file to where scans look for it')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Verify a database: its checksum, structure and signature')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show everything about a vulnerability')
            [CompletionResult]::new('search', 'search', [CompletionResultType]::ParameterValue, 'List the advisories that name a package')
            [CompletionResult]::new('diff', 'diff', [CompletionResultType]::ParameterValue, 'Show what is new or gone in a newer database')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'inscan;db;help;build' {
            break
        }
        'inscan;db;help;update' {
            break
        }
        'inscan;db;help;push' {
            break
        }
        'inscan;db;help;status' {
            break
        }
        'inscan;db;help;export' {
            break
        }
        'inscan;db;help;import' {
            break
        }
        'inscan;db;help;verify' {
            break
        }
        'inscan;db;help;show' {
            break
        }
        'inscan;db;help;search' {
            break
        }
        'inscan;db;help;diff' {
            break
        }
        'inscan;db;help;help' {
            break
        }
        'inscan;policy' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Check a bundle, and list all errors in it')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'Explain the result of a bundle for an image, rule by rule')
            [CompletionResult]::new('init', 'init', [CompletionResultType]::ParameterValue, 'Write a template for your own bundle, with comments that say what to change')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the built-in bundles')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show a built-in bundle: its rules, the reason for each, and how to fix what they find')
            [CompletionResult]::new('spec', 'spec', [CompletionResultType]::ParameterValue, 'Show every gate, trigger and parameter that rules can use')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'inscan;policy;check' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'What to write beside the messages, and where to; may be repeated')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write beside the messages, and where to; may be repeated')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('--tolerant', '--tolerant', [CompletionResultType]::ParameterName, 'Report errors in parts that may not be used as warnings only')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;policy;explain' {
            [CompletionResult]::new('--platform', '--platform', [CompletionResultType]::ParameterName, 'The platform to take from an image made for several, as OS/ARCH[/VARIANT][:VERSION]')
            [CompletionResult]::new('--containerd-namespace', '--containerd-namespace', [CompletionResultType]::ParameterName, 'The namespace of containerd that has the image [default: whichever has it]')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'The full name to give the image: registry, repository and tag')
            [CompletionResult]::new('--image-digest', '--image-digest', [CompletionResultType]::ParameterName, 'The manifest digest to give the image, instead of the one it has')
            [CompletionResult]::new('--image-id', '--image-id', [CompletionResultType]::ParameterName, 'The image id to give the image, instead of the one it has: 64 hex digits')
            [CompletionResult]::new('--dockerfile', '--dockerfile', [CompletionResultType]::ParameterName, 'The Dockerfile that made the image; without it, one is guessed from its history')
            [CompletionResult]::new('--analyzer-config', '--analyzer-config', [CompletionResultType]::ParameterName, 'What the analyzers look for: the legacy engine''s analyzer_config.yaml')
            [CompletionResult]::new('--only', '--only', [CompletionResultType]::ParameterName, 'Analyze only these parts, in less time: packages, secrets, files; several with commas')
            [CompletionResult]::new('--digests', '--digests', [CompletionResultType]::ParameterName, 'More digests of every file, in addition to md5, sha1 and sha256')
            [CompletionResult]::new('--clamd', '--clamd', [CompletionResultType]::ParameterName, 'Where clamd listens: a socket, or HOST:PORT [default: where Debian has it]')
            [CompletionResult]::new('--image-budget', '--image-budget', [CompletionResultType]::ParameterName, 'How many times as much as usual an image may ask for: bytes that its layers unpack to, entries, packages')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'How many threads to work with [default: one per core]')
            [CompletionResult]::new('--cache-dir', '--cache-dir', [CompletionResultType]::ParameterName, 'The directory to keep layers in [default: $XDG_CACHE_HOME/inscan, ~/.cache/inscan]')
            [CompletionResult]::new('--cache-size', '--cache-size', [CompletionResultType]::ParameterName, 'How large the cache may get: what was not used for the longest time goes first')
            [CompletionResult]::new('--registry-user', '--registry-user', [CompletionResultType]::ParameterName, 'Log in to the image''s registry as this user')
            [CompletionResult]::new('--registry-token', '--registry-token', [CompletionResultType]::ParameterName, 'Show this token to the image''s registry')
            [CompletionResult]::new('--authfile', '--authfile', [CompletionResultType]::ParameterName, 'The file with credentials, as `podman login --authfile` and `docker login` write it [default: REGISTRY_AUTH_FILE, else the usual places of podman and docker]')
            [CompletionResult]::new('--registries-conf', '--registries-conf', [CompletionResultType]::ParameterName, 'The file with mirrors, other locations and blocked hosts [default: registries.conf and registries.conf.d where podman has them]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust the certificates in this PEM file too; may be repeated')
            [CompletionResult]::new('--client-cert', '--client-cert', [CompletionResultType]::ParameterName, 'Show this certificate (PEM) to servers that ask for one')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'The private key (PEM) of the client certificate, where it is in a file of its own')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Give a server up that cannot be reached within so many seconds')
            [CompletionResult]::new('--stall-timeout', '--stall-timeout', [CompletionResultType]::ParameterName, 'Abort after this many seconds without data')
            [CompletionResult]::new('--retries', '--retries', [CompletionResultType]::ParameterName, 'How often to ask again where that may help, with longer and longer waits between')
            [CompletionResult]::new('--policy', '--policy', [CompletionResultType]::ParameterName, 'Judge also by this bundle of policies: a built-in name, a file of JSON or YAML, or `-`')
            [CompletionResult]::new('--policy-id', '--policy-id', [CompletionResultType]::ParameterName, 'Ask this policy of the bundle, instead of those that its mappings choose')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'What to write, and where to (standard output unless a file is named); may be repeated')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write, and where to (standard output unless a file is named); may be repeated')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The vulnerability database [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]')
            [CompletionResult]::new('--db-max-age', '--db-max-age', [CompletionResultType]::ParameterName, 'The oldest data to judge with: an age as 5d, 36h or 2w, and what then, as 5d:warn or 5d:fail')
            [CompletionResult]::new('--db-update', '--db-update', [CompletionResultType]::ParameterName, 'Fetch a newer database from here first, where that was not tried within a day')
            [CompletionResult]::new('--db-update-deadline', '--db-update-deadline', [CompletionResultType]::ParameterName, 'How long to wait for a newer database; what has come by then is kept for the next time')
            [CompletionResult]::new('--db-verify-key', '--db-verify-key', [CompletionResultType]::ParameterName, 'Take only a newer database that is signed with this key: Ed25519 or ECDSA P-256, as PEM')
            [CompletionResult]::new('--severity', '--severity', [CompletionResultType]::ParameterName, 'Report findings of this severity or worse: unknown, negligible, low, medium, high, critical')
            [CompletionResult]::new('--fail-on', '--fail-on', [CompletionResultType]::ParameterName, 'Fail on vulnerabilities of this severity or worse')
            [CompletionResult]::new('--fail-on-secrets', '--fail-on-secrets', [CompletionResultType]::ParameterName, 'Fail on secrets of this severity or worse: low, medium, high, critical')
            [CompletionResult]::new('--unrated', '--unrated', [CompletionResultType]::ParameterName, 'What findings without a severity mean for `--fail-on`: pass, warn, fail, or a severity to take them for')
            [CompletionResult]::new('--epss-above', '--epss-above', [CompletionResultType]::ParameterName, 'Fail above this probability of exploitation within 30 days (EPSS): 0 to 1')
            [CompletionResult]::new('--on-uncovered', '--on-uncovered', [CompletionResultType]::ParameterName, 'What to do if something cannot be evaluated [default: fail if it could not be read, else warn]')
            [CompletionResult]::new('--ignore', '--ignore', [CompletionResultType]::ParameterName, 'Exceptions: a YAML file with entries of id, package, purl, path, reason, expires; may be repeated')
            [CompletionResult]::new('--vex', '--vex', [CompletionResultType]::ParameterName, 'VEX documents: suppress findings marked not_affected or fixed; may be repeated')
            [CompletionResult]::new('--baseline', '--baseline', [CompletionResultType]::ParameterName, 'Fail only on findings not in this earlier document of the image')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('--hints', '--hints', [CompletionResultType]::ParameterName, 'Trust the package list in the image (/anchore_hints.json)')
            [CompletionResult]::new('--malware', '--malware', [CompletionResultType]::ParameterName, 'Scan every file with a running clamd (ClamAV)')
            [CompletionResult]::new('--one-file-system', '--one-file-system', [CompletionResultType]::ParameterName, 'Of a root file system (`dir:`), leave out what other file systems hold that are mounted in it')
            [CompletionResult]::new('--timings', '--timings', [CompletionResultType]::ParameterName, 'Show on stderr how long each layer, analyzer and step took')
            [CompletionResult]::new('--no-cache', '--no-cache', [CompletionResultType]::ParameterName, 'Read every layer again, and store nothing in the layer cache')
            [CompletionResult]::new('--registry-password-stdin', '--registry-password-stdin', [CompletionResultType]::ParameterName, 'Read the password of `--registry-user` from standard input')
            [CompletionResult]::new('--allow-foreign-layers', '--allow-foreign-layers', [CompletionResultType]::ParameterName, 'Fetch layers that the registry lacks from the addresses in the manifest')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Do not use the network; whatever needs it is an error')
            [CompletionResult]::new('--insecure-tls', '--insecure-tls', [CompletionResultType]::ParameterName, 'Do not verify certificates of servers: others on the network can read and change what is sent')
            [CompletionResult]::new('--plain-http', '--plain-http', [CompletionResultType]::ParameterName, 'Use plain http instead of https: others on the network can read and change what is sent')
            [CompletionResult]::new('--policy-strict', '--policy-strict', [CompletionResultType]::ParameterName, 'Refuse a bundle with any error, even in parts that this image does not use')
            [CompletionResult]::new('--policy-all', '--policy-all', [CompletionResultType]::ParameterName, 'List every match of every rule in the table, not only the first few')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'List every match of every rule')
            [CompletionResult]::new('--hide-unfixed', '--hide-unfixed', [CompletionResultType]::ParameterName, 'Hide findings without a fix')
            [CompletionResult]::new('--show-suppressed', '--show-suppressed', [CompletionResultType]::ParameterName, 'Also list suppressed findings, each with its reason')
            [CompletionResult]::new('--keep-owned', '--keep-owned', [CompletionResultType]::ParameterName, 'Also evaluate language packages that an OS package installed')
            [CompletionResult]::new('--lockfiles', '--lockfiles', [CompletionResultType]::ParameterName, 'Also evaluate packages found only in lock files and manifests')
            [CompletionResult]::new('--unimportant', '--unimportant', [CompletionResultType]::ParameterName, 'Count what Debian calls unimportant')
            [CompletionResult]::new('--no-cpe', '--no-cpe', [CompletionResultType]::ParameterName, 'Do not count findings that are matched by CPE name only')
            [CompletionResult]::new('--informational', '--informational', [CompletionResultType]::ParameterName, 'Count notices that are not vulnerabilities, such as unmaintained packages')
            [CompletionResult]::new('--only-fixed', '--only-fixed', [CompletionResultType]::ParameterName, 'Fail only on vulnerabilities with a fix')
            [CompletionResult]::new('--fail-on-kev', '--fail-on-kev', [CompletionResultType]::ParameterName, 'Fail on vulnerabilities that are known to be exploited (CISA KEV)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;policy;init' {
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Begin with this bundle, by a name that `inscan policy list` shows')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Overwrite an existing file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;policy;list' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'What to write, and where to (standard output unless a file is named); may be repeated')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write, and where to (standard output unless a file is named); may be repeated')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;policy;show' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'What to write, and where to (standard output unless a file is named); may be repeated')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write, and where to (standard output unless a file is named); may be repeated')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;policy;spec' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'What to write, and where to (standard output unless a file is named); may be repeated')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write, and where to (standard output unless a file is named); may be repeated')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;policy;help' {
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Check a bundle, and list all errors in it')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'Explain the result of a bundle for an image, rule by rule')
            [CompletionResult]::new('init', 'init', [CompletionResultType]::ParameterValue, 'Write a template for your own bundle, with comments that say what to change')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the built-in bundles')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show a built-in bundle: its rules, the reason for each, and how to fix what they find')
            [CompletionResult]::new('spec', 'spec', [CompletionResultType]::ParameterValue, 'Show every gate, trigger and parameter that rules can use')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'inscan;policy;help;check' {
            break
        }
        'inscan;policy;help;explain' {
            break
        }
        'inscan;policy;help;init' {
            break
        }
        'inscan;policy;help;list' {
            break
        }
        'inscan;policy;help;show' {
            break
        }
        'inscan;policy;help;spec' {
            break
        }
        'inscan;policy;help;help' {
            break
        }
        'inscan;completions' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;pull' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Where to keep it; without REF it has its full name there')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Where to keep it; without REF it has its full name there')
            [CompletionResult]::new('--platform', '--platform', [CompletionResultType]::ParameterName, 'The platform to take from an image made for several, as OS/ARCH[/VARIANT][:VERSION]')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'How many layers to fetch at once')
            [CompletionResult]::new('--registry-user', '--registry-user', [CompletionResultType]::ParameterName, 'Log in to the image''s registry as this user')
            [CompletionResult]::new('--registry-token', '--registry-token', [CompletionResultType]::ParameterName, 'Show this token to the image''s registry')
            [CompletionResult]::new('--authfile', '--authfile', [CompletionResultType]::ParameterName, 'The file with credentials, as `podman login --authfile` and `docker login` write it [default: REGISTRY_AUTH_FILE, else the usual places of podman and docker]')
            [CompletionResult]::new('--registries-conf', '--registries-conf', [CompletionResultType]::ParameterName, 'The file with mirrors, other locations and blocked hosts [default: registries.conf and registries.conf.d where podman has them]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust the certificates in this PEM file too; may be repeated')
            [CompletionResult]::new('--client-cert', '--client-cert', [CompletionResultType]::ParameterName, 'Show this certificate (PEM) to servers that ask for one')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'The private key (PEM) of the client certificate, where it is in a file of its own')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Give a server up that cannot be reached within so many seconds')
            [CompletionResult]::new('--stall-timeout', '--stall-timeout', [CompletionResultType]::ParameterName, 'Abort after this many seconds without data')
            [CompletionResult]::new('--retries', '--retries', [CompletionResultType]::ParameterName, 'How often to ask again where that may help, with longer and longer waits between')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('--registry-password-stdin', '--registry-password-stdin', [CompletionResultType]::ParameterName, 'Read the password of `--registry-user` from standard input')
            [CompletionResult]::new('--allow-foreign-layers', '--allow-foreign-layers', [CompletionResultType]::ParameterName, 'Fetch layers that the registry lacks from the addresses in the manifest')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Do not use the network; whatever needs it is an error')
            [CompletionResult]::new('--insecure-tls', '--insecure-tls', [CompletionResultType]::ParameterName, 'Do not verify certificates of servers: others on the network can read and change what is sent')
            [CompletionResult]::new('--plain-http', '--plain-http', [CompletionResultType]::ParameterName, 'Use plain http instead of https: others on the network can read and change what is sent')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;serve' {
            [CompletionResult]::new('--listen', '--listen', [CompletionResultType]::ParameterName, 'The address to listen on, or unix:PATH [default: 127.0.0.1:8080, and none for workers]')
            [CompletionResult]::new('--role', '--role', [CompletionResultType]::ParameterName, 'What this process does: answer requests, do the jobs, or both')
            [CompletionResult]::new('--data', '--data', [CompletionResultType]::ParameterName, 'The folder for everything that is kept [default: inscan/server in $XDG_DATA_HOME or ~/.local/share]')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Keep rows in this database instead of the folder: postgres://USER:PASSWORD@HOST/NAME?sslmode=verify-full')
            [CompletionResult]::new('--database-password-file', '--database-password-file', [CompletionResultType]::ParameterName, 'Read the password of the database from this file')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'The key for passwords of registries and options of channels [default: key in the folder]')
            [CompletionResult]::new('--objects', '--objects', [CompletionResultType]::ParameterName, 'Keep contents in this bucket instead of the folder: s3://BUCKET[/PREFIX]?endpoint=URL&region=NAME&path-style=BOOL')
            [CompletionResult]::new('--objects-credentials', '--objects-credentials', [CompletionResultType]::ParameterName, 'The file with the keys of the bucket, as Amazon''s tools have it [default: AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials]')
            [CompletionResult]::new('--admin-token-file', '--admin-token-file', [CompletionResultType]::ParameterName, 'The administrator''s token: read from this file, or written to it where it is not there yet')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'Speak https with this certificate (PEM), with those up to its authority behind it')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'The private key (PEM) of the certificate')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The vulnerability database [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]')
            [CompletionResult]::new('--workers', '--workers', [CompletionResultType]::ParameterName, 'How many jobs to do at a time')
            [CompletionResult]::new('--lease', '--lease', [CompletionResultType]::ParameterName, 'After how long a job whose process died is another one''s')
            [CompletionResult]::new('--max-upload', '--max-upload', [CompletionResultType]::ParameterName, 'The largest archive that is taken')
            [CompletionResult]::new('--max-uploads', '--max-uploads', [CompletionResultType]::ParameterName, 'How many archives are taken at a time')
            [CompletionResult]::new('--scan-time', '--scan-time', [CompletionResultType]::ParameterName, 'How long the analysis of an image here may take')
            [CompletionResult]::new('--scan-memory', '--scan-memory', [CompletionResultType]::ParameterName, 'How much memory the analysis of an image here may take')
            [CompletionResult]::new('--watch-every', '--watch-every', [CompletionResultType]::ParameterName, 'How often watched tags and repositories are looked at')
            [CompletionResult]::new('--keep', '--keep', [CompletionResultType]::ParameterName, 'For how many days former verdicts, former analyses and events are kept')
            [CompletionResult]::new('--keep-versions', '--keep-versions', [CompletionResultType]::ParameterName, 'Of each name, how many images before the newest are kept, also those older than `--keep`')
            [CompletionResult]::new('--keep-images', '--keep-images', [CompletionResultType]::ParameterName, 'For how many days an image is kept that is neither analyzed nor judged any longer')
            [CompletionResult]::new('--unknown-images', '--unknown-images', [CompletionResultType]::ParameterName, 'What an admission controller is told about an image that is not known')
            [CompletionResult]::new('--authfile', '--authfile', [CompletionResultType]::ParameterName, 'The file with credentials, as `podman login --authfile` and `docker login` write it [default: REGISTRY_AUTH_FILE, else the usual places of podman and docker]')
            [CompletionResult]::new('--registries-conf', '--registries-conf', [CompletionResultType]::ParameterName, 'The file with mirrors, other locations and blocked hosts [default: registries.conf and registries.conf.d where podman has them]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust the certificates in this PEM file too; may be repeated')
            [CompletionResult]::new('--client-cert', '--client-cert', [CompletionResultType]::ParameterName, 'Show this certificate (PEM) to servers that ask for one')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'The private key (PEM) of the client certificate, where it is in a file of its own')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Give a server up that cannot be reached within so many seconds')
            [CompletionResult]::new('--stall-timeout', '--stall-timeout', [CompletionResultType]::ParameterName, 'Abort after this many seconds without data')
            [CompletionResult]::new('--retries', '--retries', [CompletionResultType]::ParameterName, 'How often to ask again where that may help, with longer and longer waits between')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('--allow-private-webhooks', '--allow-private-webhooks', [CompletionResultType]::ParameterName, 'Send webhooks also to private addresses and to this machine')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Do not use the network; whatever needs it is an error')
            [CompletionResult]::new('--insecure-tls', '--insecure-tls', [CompletionResultType]::ParameterName, 'Do not verify certificates of servers: others on the network can read and change what is sent')
            [CompletionResult]::new('--plain-http', '--plain-http', [CompletionResultType]::ParameterName, 'Use plain http instead of https: others on the network can read and change what is sent')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('backup', 'backup', [CompletionResultType]::ParameterValue, 'Write all rows to a file: a backup, or to move to another database')
            [CompletionResult]::new('restore', 'restore', [CompletionResultType]::ParameterValue, 'Read all rows of a backup into an empty database, of either kind')
            [CompletionResult]::new('migrate', 'migrate', [CompletionResultType]::ParameterValue, 'Bring a database to the form that this version needs, and make an empty one')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Look whether everything that is kept is whole')
            [CompletionResult]::new('user', 'user', [CompletionResultType]::ParameterValue, 'Add, list, change and remove users, also where nobody can log in any longer')
            [CompletionResult]::new('token', 'token', [CompletionResultType]::ParameterValue, 'Add, list and revoke tokens')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'inscan;serve;backup' {
            [CompletionResult]::new('--data', '--data', [CompletionResultType]::ParameterName, 'The folder for everything that is kept [default: inscan/server in $XDG_DATA_HOME or ~/.local/share]')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Keep rows in this database instead of the folder: postgres://USER:PASSWORD@HOST/NAME?sslmode=verify-full')
            [CompletionResult]::new('--database-password-file', '--database-password-file', [CompletionResultType]::ParameterName, 'Read the password of the database from this file')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'The key for passwords of registries and options of channels [default: key in the folder]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;serve;restore' {
            [CompletionResult]::new('--data', '--data', [CompletionResultType]::ParameterName, 'The folder for everything that is kept [default: inscan/server in $XDG_DATA_HOME or ~/.local/share]')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Keep rows in this database instead of the folder: postgres://USER:PASSWORD@HOST/NAME?sslmode=verify-full')
            [CompletionResult]::new('--database-password-file', '--database-password-file', [CompletionResultType]::ParameterName, 'Read the password of the database from this file')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'The key for passwords of registries and options of channels [default: key in the folder]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;serve;migrate' {
            [CompletionResult]::new('--data', '--data', [CompletionResultType]::ParameterName, 'The folder for everything that is kept [default: inscan/server in $XDG_DATA_HOME or ~/.local/share]')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Keep rows in this database instead of the folder: postgres://USER:PASSWORD@HOST/NAME?sslmode=verify-full')
            [CompletionResult]::new('--database-password-file', '--database-password-file', [CompletionResultType]::ParameterName, 'Read the password of the database from this file')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'The key for passwords of registries and options of channels [default: key in the folder]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;serve;check' {
            [CompletionResult]::new('--data', '--data', [CompletionResultType]::ParameterName, 'The folder for everything that is kept [default: inscan/server in $XDG_DATA_HOME or ~/.local/share]')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Keep rows in this database instead of the folder: postgres://USER:PASSWORD@HOST/NAME?sslmode=verify-full')
            [CompletionResult]::new('--database-password-file', '--database-password-file', [CompletionResultType]::ParameterName, 'Read the password of the database from this file')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'The key for passwords of registries and options of channels [default: key in the folder]')
            [CompletionResult]::new('--objects', '--objects', [CompletionResultType]::ParameterName, 'Keep contents in this bucket instead of the folder: s3://BUCKET[/PREFIX]?endpoint=URL&region=NAME&path-style=BOOL')
            [CompletionResult]::new('--objects-credentials', '--objects-credentials', [CompletionResultType]::ParameterName, 'The file with the keys of the bucket, as Amazon''s tools have it [default: AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust the certificates in this PEM file too; may be repeated')
            [CompletionResult]::new('--client-cert', '--client-cert', [CompletionResultType]::ParameterName, 'Show this certificate (PEM) to servers that ask for one')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'The private key (PEM) of the client certificate, where it is in a file of its own')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Give a server up that cannot be reached within so many seconds')
            [CompletionResult]::new('--stall-timeout', '--stall-timeout', [CompletionResultType]::ParameterName, 'Abort after this many seconds without data')
            [CompletionResult]::new('--retries', '--retries', [CompletionResultType]::ParameterName, 'How often to ask again where that may help, with longer and longer waits between')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Do not use the network; whatever needs it is an error')
            [CompletionResult]::new('--insecure-tls', '--insecure-tls', [CompletionResultType]::ParameterName, 'Do not verify certificates of servers: others on the network can read and change what is sent')
            [CompletionResult]::new('--plain-http', '--plain-http', [CompletionResultType]::ParameterName, 'Use plain http instead of https: others on the network can read and change what is sent')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;serve;user' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a user; without a password only tokens let it in')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the users: name, role, whether they may log in, when they were added')
            [CompletionResult]::new('password', 'password', [CompletionResultType]::ParameterValue, 'Give a user another password')
            [CompletionResult]::new('role', 'role', [CompletionResultType]::ParameterValue, 'Change what a user may do')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Remove a user with its tokens')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'inscan;serve;user;add' {
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'Read the password from this file; `-` is standard input')
            [CompletionResult]::new('--data', '--data', [CompletionResultType]::ParameterName, 'The folder for everything that is kept [default: inscan/server in $XDG_DATA_HOME or ~/.local/share]')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Keep rows in this database instead of the folder: postgres://USER:PASSWORD@HOST/NAME?sslmode=verify-full')
            [CompletionResult]::new('--database-password-file', '--database-password-file', [CompletionResultType]::ParameterName, 'Read the password of the database from this file')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'The key for passwords of registries and options of channels [default: key in the folder]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;serve;user;list' {
            [CompletionResult]::new('--data', '--data', [CompletionResultType]::ParameterName, 'The folder for everything that is kept [default: inscan/server in $XDG_DATA_HOME or ~/.local/share]')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Keep rows in this database instead of the folder: postgres://USER:PASSWORD@HOST/NAME?sslmode=verify-full')
            [CompletionResult]::new('--database-password-file', '--database-password-file', [CompletionResultType]::ParameterName, 'Read the password of the database from this file')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'The key for passwords of registries and options of channels [default: key in the folder]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;serve;user;password' {
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'Read the password from this file; `-` is standard input')
            [CompletionResult]::new('--data', '--data', [CompletionResultType]::ParameterName, 'The folder for everything that is kept [default: inscan/server in $XDG_DATA_HOME or ~/.local/share]')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Keep rows in this database instead of the folder: postgres://USER:PASSWORD@HOST/NAME?sslmode=verify-full')
            [CompletionResult]::new('--database-password-file', '--database-password-file', [CompletionResultType]::ParameterName, 'Read the password of the database from this file')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'The key for passwords of registries and options of channels [default: key in the folder]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;serve;user;role' {
            [CompletionResult]::new('--data', '--data', [CompletionResultType]::ParameterName, 'The folder for everything that is kept [default: inscan/server in $XDG_DATA_HOME or ~/.local/share]')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Keep rows in this database instead of the folder: postgres://USER:PASSWORD@HOST/NAME?sslmode=verify-full')
            [CompletionResult]::new('--database-password-file', '--database-password-file', [CompletionResultType]::ParameterName, 'Read the password of the database from this file')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'The key for passwords of registries and options of channels [default: key in the folder]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;serve;user;remove' {
            [CompletionResult]::new('--data', '--data', [CompletionResultType]::ParameterName, 'The folder for everything that is kept [default: inscan/server in $XDG_DATA_HOME or ~/.local/share]')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Keep rows in this database instead of the folder: postgres://USER:PASSWORD@HOST/NAME?sslmode=verify-full')
            [CompletionResult]::new('--database-password-file', '--database-password-file', [CompletionResultType]::ParameterName, 'Read the password of the database from this file')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'The key for passwords of registries and options of channels [default: key in the folder]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;serve;user;help' {
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a user; without a password only tokens let it in')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the users: name, role, whether they may log in, when they were added')
            [CompletionResult]::new('password', 'password', [CompletionResultType]::ParameterValue, 'Give a user another password')
            [CompletionResult]::new('role', 'role', [CompletionResultType]::ParameterValue, 'Change what a user may do')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Remove a user with its tokens')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'inscan;serve;user;help;add' {
            break
        }
        'inscan;serve;user;help;list' {
            break
        }
        'inscan;serve;user;help;password' {
            break
        }
        'inscan;serve;user;help;role' {
            break
        }
        'inscan;serve;user;help;remove' {
            break
        }
        'inscan;serve;user;help;help' {
            break
        }
        'inscan;serve;token' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a token for a user, and write it to standard output')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the tokens: id, user, what it is for, when it was added; never the token itself')
            [CompletionResult]::new('revoke', 'revoke', [CompletionResultType]::ParameterValue, 'Revoke a token: it is worth nothing at once')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'inscan;serve;token;add' {
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'What it is for')
            [CompletionResult]::new('--data', '--data', [CompletionResultType]::ParameterName, 'The folder for everything that is kept [default: inscan/server in $XDG_DATA_HOME or ~/.local/share]')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Keep rows in this database instead of the folder: postgres://USER:PASSWORD@HOST/NAME?sslmode=verify-full')
            [CompletionResult]::new('--database-password-file', '--database-password-file', [CompletionResultType]::ParameterName, 'Read the password of the database from this file')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'The key for passwords of registries and options of channels [default: key in the folder]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;serve;token;list' {
            [CompletionResult]::new('--data', '--data', [CompletionResultType]::ParameterName, 'The folder for everything that is kept [default: inscan/server in $XDG_DATA_HOME or ~/.local/share]')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Keep rows in this database instead of the folder: postgres://USER:PASSWORD@HOST/NAME?sslmode=verify-full')
            [CompletionResult]::new('--database-password-file', '--database-password-file', [CompletionResultType]::ParameterName, 'Read the password of the database from this file')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'The key for passwords of registries and options of channels [default: key in the folder]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;serve;token;revoke' {
            [CompletionResult]::new('--data', '--data', [CompletionResultType]::ParameterName, 'The folder for everything that is kept [default: inscan/server in $XDG_DATA_HOME or ~/.local/share]')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Keep rows in this database instead of the folder: postgres://USER:PASSWORD@HOST/NAME?sslmode=verify-full')
            [CompletionResult]::new('--database-password-file', '--database-password-file', [CompletionResultType]::ParameterName, 'Read the password of the database from this file')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'The key for passwords of registries and options of channels [default: key in the folder]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;serve;token;help' {
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a token for a user, and write it to standard output')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the tokens: id, user, what it is for, when it was added; never the token itself')
            [CompletionResult]::new('revoke', 'revoke', [CompletionResultType]::ParameterValue, 'Revoke a token: it is worth nothing at once')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'inscan;serve;token;help;add' {
            break
        }
        'inscan;serve;token;help;list' {
            break
        }
        'inscan;serve;token;help;revoke' {
            break
        }
        'inscan;serve;token;help;help' {
            break
        }
        'inscan;serve;help' {
            [CompletionResult]::new('backup', 'backup', [CompletionResultType]::ParameterValue, 'Write all rows to a file: a backup, or to move to another database')
            [CompletionResult]::new('restore', 'restore', [CompletionResultType]::ParameterValue, 'Read all rows of a backup into an empty database, of either kind')
            [CompletionResult]::new('migrate', 'migrate', [CompletionResultType]::ParameterValue, 'Bring a database to the form that this version needs, and make an empty one')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Look whether everything that is kept is whole')
            [CompletionResult]::new('user', 'user', [CompletionResultType]::ParameterValue, 'Add, list, change and remove users, also where nobody can log in any longer')
            [CompletionResult]::new('token', 'token', [CompletionResultType]::ParameterValue, 'Add, list and revoke tokens')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'inscan;serve;help;backup' {
            break
        }
        'inscan;serve;help;restore' {
            break
        }
        'inscan;serve;help;migrate' {
            break
        }
        'inscan;serve;help;check' {
            break
        }
        'inscan;serve;help;user' {
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a user; without a password only tokens let it in')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the users: name, role, whether they may log in, when they were added')
            [CompletionResult]::new('password', 'password', [CompletionResultType]::ParameterValue, 'Give a user another password')
            [CompletionResult]::new('role', 'role', [CompletionResultType]::ParameterValue, 'Change what a user may do')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Remove a user with its tokens')
            break
        }
        'inscan;serve;help;user;add' {
            break
        }
        'inscan;serve;help;user;list' {
            break
        }
        'inscan;serve;help;user;password' {
            break
        }
        'inscan;serve;help;user;role' {
            break
        }
        'inscan;serve;help;user;remove' {
            break
        }
        'inscan;serve;help;token' {
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a token for a user, and write it to standard output')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the tokens: id, user, what it is for, when it was added; never the token itself')
            [CompletionResult]::new('revoke', 'revoke', [CompletionResultType]::ParameterValue, 'Revoke a token: it is worth nothing at once')
            break
        }
        'inscan;serve;help;token;add' {
            break
        }
        'inscan;serve;help;token;list' {
            break
        }
        'inscan;serve;help;token;revoke' {
            break
        }
        'inscan;serve;help;help' {
            break
        }
        'inscan;compare-versions' {
            [CompletionResult]::new('--ranges', '--ranges', [CompletionResultType]::ParameterName, 'Behind the tab stands a range in this language; print true, false or ERR')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress on stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours (NO_COLOR is respected)')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup''s limit, 80 % of the machine''s]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How to write an error on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'inscan;help' {
            [CompletionResult]::new('analyze', 'analyze', [CompletionResultType]::ParameterValue, 'Analyze an image, and write the analysis document')
            [CompletionResult]::new('scan', 'scan', [CompletionResultType]::ParameterValue, 'Scan an image: show its content, its vulnerabilities and the verdict')
            [CompletionResult]::new('evaluate', 'evaluate', [CompletionResultType]::ParameterValue, 'Evaluate an analysis document: show vulnerable packages and the verdict')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'Explain why a vulnerability does or does not affect an image')
            [CompletionResult]::new('archive', 'archive', [CompletionResultType]::ParameterValue, 'Write the analysis archive for a later upload to a backend')
            [CompletionResult]::new('upload', 'upload', [CompletionResultType]::ParameterValue, 'Get the verdict of a backend for an image: Sysdig''s, or an Anchore engine')
            [CompletionResult]::new('legacy', 'legacy', [CompletionResultType]::ParameterValue, 'Stand in for the legacy inline scanner: its command line, its output, its exit codes')
            [CompletionResult]::new('analyzers', 'analyzers', [CompletionResultType]::ParameterValue, 'List the analyzers, and what each finds')
            [CompletionResult]::new('cache', 'cache', [CompletionResultType]::ParameterValue, 'Show or empty the layer cache')
            [CompletionResult]::new('db', 'db', [CompletionResultType]::ParameterValue, 'Build, fetch and inspect the vulnerability database')
            [CompletionResult]::new('policy', 'policy', [CompletionResultType]::ParameterValue, 'List, show, check and write bundles of policies')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completions for a shell')
            [CompletionResult]::new('pull', 'pull', [CompletionResultType]::ParameterValue, 'Copy an image to an OCI layout, for other tools or for later')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Be a backend: keep the analysis of images, judge them, answer the clients that teams have')
            [CompletionResult]::new('compare-versions', 'compare-versions', [CompletionResultType]::ParameterValue, 'Compare pairs of versions as an ecosystem orders them')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'inscan;help;analyze' {
            break
        }
        'inscan;help;scan' {
            break
        }
        'inscan;help;evaluate' {
            break
        }
        'inscan;help;explain' {
            break
        }
        'inscan;help;archive' {
            break
        }
        'inscan;help;upload' {
            break
        }
        'inscan;help;legacy' {
            break
        }
        'inscan;help;analyzers' {
            break
        }
        'inscan;help;cache' {
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show its directory, its size, and how much this version can use')
            [CompletionResult]::new('clean', 'clean', [CompletionResultType]::ParameterValue, 'Remove all entries, or those that were not used lately')
            [CompletionResult]::new('path', 'path', [CompletionResultType]::ParameterValue, 'Print its directory')
            break
        }
        'inscan;help;cache;status' {
            break
        }
        'inscan;help;cache;clean' {
            break
        }
        'inscan;help;cache;path' {
            break
        }
        'inscan;help;db' {
            [CompletionResult]::new('build', 'build', [CompletionResultType]::ParameterValue, 'Build a database from files of many sources')
            [CompletionResult]::new('update', 'update', [CompletionResultType]::ParameterValue, 'Fetch a newer database, or what one is built of')
            [CompletionResult]::new('push', 'push', [CompletionResultType]::ParameterValue, 'Push a database to a registry, for `inscan db update oci://…`')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show the content and age of the database')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Copy the database to a file, for another machine')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Copy a database file to where scans look for it')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Verify a database: its checksum, structure and signature')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show everything about a vulnerability')
            [CompletionResult]::new('search', 'search', [CompletionResultType]::ParameterValue, 'List the advisories that name a package')
            [CompletionResult]::new('diff', 'diff', [CompletionResultType]::ParameterValue, 'Show what is new or gone in a newer database')
            break
        }
        'inscan;help;db;build' {
            break
        }
        'inscan;help;db;update' {
            break
        }
        'inscan;help;db;push' {
            break
        }
        'inscan;help;db;status' {
            break
        }
        'inscan;help;db;export' {
            break
        }
        'inscan;help;db;import' {
            break
        }
        'inscan;help;db;verify' {
            break
        }
        'inscan;help;db;show' {
            break
        }
        'inscan;help;db;search' {
            break
        }
        'inscan;help;db;diff' {
            break
        }
        'inscan;help;policy' {
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Check a bundle, and list all errors in it')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'Explain the result of a bundle for an image, rule by rule')
            [CompletionResult]::new('init', 'init', [CompletionResultType]::ParameterValue, 'Write a template for your own bundle, with comments that say what to change')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the built-in bundles')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show a built-in bundle: its rules, the reason for each, and how to fix what they find')
            [CompletionResult]::new('spec', 'spec', [CompletionResultType]::ParameterValue, 'Show every gate, trigger and parameter that rules can use')
            break
        }
        'inscan;help;policy;check' {
            break
        }
        'inscan;help;policy;explain' {
            break
        }
        'inscan;help;policy;init' {
            break
        }
        'inscan;help;policy;list' {
            break
        }
        'inscan;help;policy;show' {
            break
        }
        'inscan;help;policy;spec' {
            break
        }
        'inscan;help;completions' {
            break
        }
        'inscan;help;pull' {
            break
        }
        'inscan;help;serve' {
            [CompletionResult]::new('backup', 'backup', [CompletionResultType]::ParameterValue, 'Write all rows to a file: a backup, or to move to another database')
            [CompletionResult]::new('restore', 'restore', [CompletionResultType]::ParameterValue, 'Read all rows of a backup into an empty database, of either kind')
            [CompletionResult]::new('migrate', 'migrate', [CompletionResultType]::ParameterValue, 'Bring a database to the form that this version needs, and make an empty one')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Look whether everything that is kept is whole')
            [CompletionResult]::new('user', 'user', [CompletionResultType]::ParameterValue, 'Add, list, change and remove users, also where nobody can log in any longer')
            [CompletionResult]::new('token', 'token', [CompletionResultType]::ParameterValue, 'Add, list and revoke tokens')
            break
        }
        'inscan;help;serve;backup' {
            break
        }
        'inscan;help;serve;restore' {
            break
        }
        'inscan;help;serve;migrate' {
            break
        }
        'inscan;help;serve;check' {
            break
        }
        'inscan;help;serve;user' {
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a user; without a password only tokens let it in')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the users: name, role, whether they may log in, when they were added')
            [CompletionResult]::new('password', 'password', [CompletionResultType]::ParameterValue, 'Give a user another password')
            [CompletionResult]::new('role', 'role', [CompletionResultType]::ParameterValue, 'Change what a user may do')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Remove a user with its tokens')
            break
        }
        'inscan;help;serve;user;add' {
            break
        }
        'inscan;help;serve;user;list' {
            break
        }
        'inscan;help;serve;user;password' {
            break
        }
        'inscan;help;serve;user;role' {
            break
        }
        'inscan;help;serve;user;remove' {
            break
        }
        'inscan;help;serve;token' {
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a token for a user, and write it to standard output')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the tokens: id, user, what it is for, when it was added; never the token itself')
            [CompletionResult]::new('revoke', 'revoke', [CompletionResultType]::ParameterValue, 'Revoke a token: it is worth nothing at once')
            break
        }
        'inscan;help;serve;token;add' {
            break
        }
        'inscan;help;serve;token;list' {
            break
        }
        'inscan;help;serve;token;revoke' {
            break
        }
        'inscan;help;compare-versions' {
            break
        }
        'inscan;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
