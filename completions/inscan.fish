# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_inscan_global_optspecs
    string join \n config= q/quiet progress= color= max-memory= error-format= h/help V/version
end

function __fish_inscan_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_inscan_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_inscan_using_subcommand
    set -l cmd (__fish_inscan_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c inscan -n "__fish_inscan_needs_command" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_needs_command" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_needs_command" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_needs_command" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_needs_command" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_needs_command" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_needs_command" -s V -l version -d 'Print version'
complete -c inscan -n "__fish_inscan_needs_command" -f -a "analyze" -d 'Analyze an image, and write the analysis document'
complete -c inscan -n "__fish_inscan_needs_command" -f -a "scan" -d 'Scan an image: show its content, its vulnerabilities and the verdict'
complete -c inscan -n "__fish_inscan_needs_command" -f -a "evaluate" -d 'Evaluate an analysis document: show vulnerable packages and the verdict'
complete -c inscan -n "__fish_inscan_needs_command" -f -a "explain" -d 'Explain why a vulnerability does or does not affect an image'
complete -c inscan -n "__fish_inscan_needs_command" -f -a "archive" -d 'Write the analysis archive for a later upload to a backend'
complete -c inscan -n "__fish_inscan_needs_command" -f -a "upload" -d 'Get the verdict of a backend for an image: Sysdig\'s, or an Anchore engine'
complete -c inscan -n "__fish_inscan_needs_command" -f -a "legacy" -d 'Stand in for the legacy inline scanner: its command line, its output, its exit codes'
complete -c inscan -n "__fish_inscan_needs_command" -f -a "analyzers" -d 'List the analyzers, and what each finds'
complete -c inscan -n "__fish_inscan_needs_command" -f -a "cache" -d 'Show or empty the layer cache'
complete -c inscan -n "__fish_inscan_needs_command" -f -a "db" -d 'Build, fetch and inspect the vulnerability database'
complete -c inscan -n "__fish_inscan_needs_command" -f -a "policy" -d 'List, show, check and write bundles of policies'
complete -c inscan -n "__fish_inscan_needs_command" -f -a "completions" -d 'Print the completions for a shell'
complete -c inscan -n "__fish_inscan_needs_command" -f -a "pull" -d 'Copy an image to an OCI layout, for other tools or for later'
complete -c inscan -n "__fish_inscan_needs_command" -f -a "serve" -d 'Be a backend: keep the analysis of images, judge them, answer the clients that teams have'
complete -c inscan -n "__fish_inscan_needs_command" -f -a "compare-versions" -d 'Compare pairs of versions as an ecosystem orders them'
complete -c inscan -n "__fish_inscan_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l platform -d 'The platform to take from an image made for several, as OS/ARCH[/VARIANT][:VERSION]' -r
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l containerd-namespace -d 'The namespace of containerd that has the image [default: whichever has it]' -r
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l tag -d 'The full name to give the image: registry, repository and tag' -r
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l image-digest -d 'The manifest digest to give the image, instead of the one it has' -r
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l image-id -d 'The image id to give the image, instead of the one it has: 64 hex digits' -r
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l dockerfile -d 'The Dockerfile that made the image; without it, one is guessed from its history' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l analyzer-config -d 'What the analyzers look for: the legacy engine\'s analyzer_config.yaml' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l only -d 'Analyze only these parts, in less time: packages, secrets, files; several with commas' -r -f -a "packages\t''
secrets\t''
files\t''"
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l digests -d 'More digests of every file, in addition to md5, sha1 and sha256' -r -f -a "sha384\t''
sha512\t''"
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l clamd -d 'Where clamd listens: a socket, or HOST:PORT [default: where Debian has it]' -r
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l image-budget -d 'How many times as much as usual an image may ask for: bytes that its layers unpack to, entries, packages' -r
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l threads -d 'How many threads to work with [default: one per core]' -r
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l cache-dir -d 'The directory to keep layers in [default: $XDG_CACHE_HOME/inscan, ~/.cache/inscan]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l cache-size -d 'How large the cache may get: what was not used for the longest time goes first' -r
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l registry-user -d 'Log in to the image\'s registry as this user' -r
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l registry-token -d 'Show this token to the image\'s registry' -r
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l authfile -d 'The file with credentials, as `podman login --authfile` and `docker login` write it [default: REGISTRY_AUTH_FILE, else the usual places of podman and docker]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l registries-conf -d 'The file with mirrors, other locations and blocked hosts [default: registries.conf and registries.conf.d where podman has them]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l cacert -d 'Trust the certificates in this PEM file too; may be repeated' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l client-cert -d 'Show this certificate (PEM) to servers that ask for one' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l client-key -d 'The private key (PEM) of the client certificate, where it is in a file of its own' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l connect-timeout -d 'Give a server up that cannot be reached within so many seconds' -r
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l stall-timeout -d 'Abort after this many seconds without data' -r
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l retries -d 'How often to ask again where that may help, with longer and longer waits between' -r
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -s o -l output -d 'What to write, and where to (standard output unless a file is named); may be repeated' -r
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l hints -d 'Trust the package list in the image (/anchore_hints.json)'
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l malware -d 'Scan every file with a running clamd (ClamAV)'
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l one-file-system -d 'Of a root file system (`dir:`), leave out what other file systems hold that are mounted in it'
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l timings -d 'Show on stderr how long each layer, analyzer and step took'
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l no-cache -d 'Read every layer again, and store nothing in the layer cache'
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l registry-password-stdin -d 'Read the password of `--registry-user` from standard input'
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l allow-foreign-layers -d 'Fetch layers that the registry lacks from the addresses in the manifest'
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l offline -d 'Do not use the network; whatever needs it is an error'
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l insecure-tls -d 'Do not verify certificates of servers: others on the network can read and change what is sent'
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -l plain-http -d 'Use plain http instead of https: others on the network can read and change what is sent'
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand analyze" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l platform -d 'The platform to take from an image made for several, as OS/ARCH[/VARIANT][:VERSION]' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l containerd-namespace -d 'The namespace of containerd that has the image [default: whichever has it]' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l tag -d 'The full name to give the image: registry, repository and tag' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l image-digest -d 'The manifest digest to give the image, instead of the one it has' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l image-id -d 'The image id to give the image, instead of the one it has: 64 hex digits' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l dockerfile -d 'The Dockerfile that made the image; without it, one is guessed from its history' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l analyzer-config -d 'What the analyzers look for: the legacy engine\'s analyzer_config.yaml' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l only -d 'Analyze only these parts, in less time: packages, secrets, files; several with commas' -r -f -a "packages\t''
secrets\t''
files\t''"
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l digests -d 'More digests of every file, in addition to md5, sha1 and sha256' -r -f -a "sha384\t''
sha512\t''"
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l clamd -d 'Where clamd listens: a socket, or HOST:PORT [default: where Debian has it]' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l image-budget -d 'How many times as much as usual an image may ask for: bytes that its layers unpack to, entries, packages' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l threads -d 'How many threads to work with [default: one per core]' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l cache-dir -d 'The directory to keep layers in [default: $XDG_CACHE_HOME/inscan, ~/.cache/inscan]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l cache-size -d 'How large the cache may get: what was not used for the longest time goes first' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l registry-user -d 'Log in to the image\'s registry as this user' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l registry-token -d 'Show this token to the image\'s registry' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l authfile -d 'The file with credentials, as `podman login --authfile` and `docker login` write it [default: REGISTRY_AUTH_FILE, else the usual places of podman and docker]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l registries-conf -d 'The file with mirrors, other locations and blocked hosts [default: registries.conf and registries.conf.d where podman has them]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l cacert -d 'Trust the certificates in this PEM file too; may be repeated' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l client-cert -d 'Show this certificate (PEM) to servers that ask for one' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l client-key -d 'The private key (PEM) of the client certificate, where it is in a file of its own' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l connect-timeout -d 'Give a server up that cannot be reached within so many seconds' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l stall-timeout -d 'Abort after this many seconds without data' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l retries -d 'How often to ask again where that may help, with longer and longer waits between' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -s o -l output -d 'What to write, and where to (standard output unless a file is named); may be repeated [default: summary, and table where there is a database]' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l template -d 'The template that `-o template` fills in, in the language of Jinja (docs/reports.md)' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l db -d 'The vulnerability database [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l db-max-age -d 'The oldest data to judge with: an age as 5d, 36h or 2w, and what then, as 5d:warn or 5d:fail' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l db-update -d 'Fetch a newer database from here first, where that was not tried within a day' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l db-update-deadline -d 'How long to wait for a newer database; what has come by then is kept for the next time' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l db-verify-key -d 'Take only a newer database that is signed with this key: Ed25519 or ECDSA P-256, as PEM' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l severity -d 'Report findings of this severity or worse: unknown, negligible, low, medium, high, critical' -r -f -a "critical\t''
high\t''
medium\t''
low\t''
negligible\t''
unknown\t''"
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l fail-on -d 'Fail on vulnerabilities of this severity or worse' -r -f -a "critical\t''
high\t''
medium\t''
low\t''
negligible\t''
unknown\t''"
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l fail-on-secrets -d 'Fail on secrets of this severity or worse: low, medium, high, critical' -r -f -a "low\t'Also what is published, in documentation or in tests'
medium\t'Known by the words around it'
high\t'The credential of one service'
critical\t'A whole account or a private key'"
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l unrated -d 'What findings without a severity mean for `--fail-on`: pass, warn, fail, or a severity to take them for' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l epss-above -d 'Fail above this probability of exploitation within 30 days (EPSS): 0 to 1' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l on-uncovered -d 'What to do if something cannot be evaluated [default: fail if it could not be read, else warn]' -r -f -a "warn\t'Print a warning'
fail\t'The image fails'
ignore\t'Only show it in the report'"
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l ignore -d 'Exceptions: a YAML file with entries of id, package, purl, path, reason, expires; may be repeated' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l vex -d 'VEX documents: suppress findings marked not_affected or fixed; may be repeated' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l baseline -d 'Fail only on findings not in this earlier document of the image' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l backend -d 'Whose API the backend has' -r -f -a "sysdig\t'Sysdig\'s: a token'
anchore\t'Anchore\'s engine: a user and a password'"
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l url -d 'Where it is, as https://HOST; also from SDC_URL, or ANCHORE_CLI_URL for an engine' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l user -d 'Who we are to an Anchore engine; also from ANCHORE_CLI_USER' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l token -d 'The API token; for an Anchore engine the password' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l token-file -d 'Read the token from this file, or from standard input as `-`' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l timeout -d 'Give up when there is no verdict within so many seconds' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l poll-interval -d 'Look so many seconds apart whether there is a verdict, 300 times at most' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l annotation -d 'Something the backend is to keep with the image; may be repeated' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l account -d 'The account that the image will be of [default: the backend\'s answer, else admin]' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l parent-digest -d 'Digest of the manifest list that the image is from [default: the image\'s own]' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l created-at -d 'When the image was made, in seconds since 1970 [default: now]' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l pdf -d 'Keep the backend\'s report as PDF: a file, or a directory for one that is named by day and image' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l policy -d 'Judge also by this bundle of policies: a built-in name, a file of JSON or YAML, or `-`' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l policy-id -d 'Ask this policy of the bundle, instead of those that its mappings choose' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l hints -d 'Trust the package list in the image (/anchore_hints.json)'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l malware -d 'Scan every file with a running clamd (ClamAV)'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l one-file-system -d 'Of a root file system (`dir:`), leave out what other file systems hold that are mounted in it'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l timings -d 'Show on stderr how long each layer, analyzer and step took'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l no-cache -d 'Read every layer again, and store nothing in the layer cache'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l registry-password-stdin -d 'Read the password of `--registry-user` from standard input'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l allow-foreign-layers -d 'Fetch layers that the registry lacks from the addresses in the manifest'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l offline -d 'Do not use the network; whatever needs it is an error'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l insecure-tls -d 'Do not verify certificates of servers: others on the network can read and change what is sent'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l plain-http -d 'Use plain http instead of https: others on the network can read and change what is sent'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l hide-unfixed -d 'Hide findings without a fix'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l show-suppressed -d 'Also list suppressed findings, each with its reason'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l keep-owned -d 'Also evaluate language packages that an OS package installed'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l lockfiles -d 'Also evaluate packages found only in lock files and manifests'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l unimportant -d 'Count what Debian calls unimportant'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l no-cpe -d 'Do not count findings that are matched by CPE name only'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l informational -d 'Count notices that are not vulnerabilities, such as unmaintained packages'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l only-fixed -d 'Fail only on vulnerabilities with a fix'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l fail-on-kev -d 'Fail on vulnerabilities that are known to be exploited (CISA KEV)'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l upload -d 'Also get the verdict of a backend: the image passes only if the backend passes it'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l on-premises -d 'The result\'s address has `/secure` in it, as on premises'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l remove-failed -d 'Remove the image from the backend if it fails'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l replace -d 'Remove the image from the backend first, and send it again'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l policy-strict -d 'Refuse a bundle with any error, even in parts that this image does not use'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -l policy-all -d 'List every match of every rule in the table, not only the first few'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand scan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -s o -l output -d 'What to write, and where to (standard output unless a file is named); may be repeated' -r
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l template -d 'The template that `-o template` fills in, in the language of Jinja (docs/reports.md)' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l db -d 'The vulnerability database [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l db-max-age -d 'The oldest data to judge with: an age as 5d, 36h or 2w, and what then, as 5d:warn or 5d:fail' -r
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l db-update -d 'Fetch a newer database from here first, where that was not tried within a day' -r
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l db-update-deadline -d 'How long to wait for a newer database; what has come by then is kept for the next time' -r
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l db-verify-key -d 'Take only a newer database that is signed with this key: Ed25519 or ECDSA P-256, as PEM' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l severity -d 'Report findings of this severity or worse: unknown, negligible, low, medium, high, critical' -r -f -a "critical\t''
high\t''
medium\t''
low\t''
negligible\t''
unknown\t''"
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l fail-on -d 'Fail on vulnerabilities of this severity or worse' -r -f -a "critical\t''
high\t''
medium\t''
low\t''
negligible\t''
unknown\t''"
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l fail-on-secrets -d 'Fail on secrets of this severity or worse: low, medium, high, critical' -r -f -a "low\t'Also what is published, in documentation or in tests'
medium\t'Known by the words around it'
high\t'The credential of one service'
critical\t'A whole account or a private key'"
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l unrated -d 'What findings without a severity mean for `--fail-on`: pass, warn, fail, or a severity to take them for' -r
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l epss-above -d 'Fail above this probability of exploitation within 30 days (EPSS): 0 to 1' -r
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l on-uncovered -d 'What to do if something cannot be evaluated [default: fail if it could not be read, else warn]' -r -f -a "warn\t'Print a warning'
fail\t'The image fails'
ignore\t'Only show it in the report'"
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l ignore -d 'Exceptions: a YAML file with entries of id, package, purl, path, reason, expires; may be repeated' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l vex -d 'VEX documents: suppress findings marked not_affected or fixed; may be repeated' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l baseline -d 'Fail only on findings not in this earlier document of the image' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l policy -d 'Judge also by this bundle of policies: a built-in name, a file of JSON or YAML, or `-`' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l policy-id -d 'Ask this policy of the bundle, instead of those that its mappings choose' -r
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l tag -d 'The full name by which policies know the image [default: what the document says]' -r
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l image-digest -d 'The manifest digest by which policies know the image [default: what the document says]' -r
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l authfile -d 'The file with credentials, as `podman login --authfile` and `docker login` write it [default: REGISTRY_AUTH_FILE, else the usual places of podman and docker]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l registries-conf -d 'The file with mirrors, other locations and blocked hosts [default: registries.conf and registries.conf.d where podman has them]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l cacert -d 'Trust the certificates in this PEM file too; may be repeated' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l client-cert -d 'Show this certificate (PEM) to servers that ask for one' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l client-key -d 'The private key (PEM) of the client certificate, where it is in a file of its own' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l connect-timeout -d 'Give a server up that cannot be reached within so many seconds' -r
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l stall-timeout -d 'Abort after this many seconds without data' -r
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l retries -d 'How often to ask again where that may help, with longer and longer waits between' -r
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l hide-unfixed -d 'Hide findings without a fix'
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l show-suppressed -d 'Also list suppressed findings, each with its reason'
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l keep-owned -d 'Also evaluate language packages that an OS package installed'
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l lockfiles -d 'Also evaluate packages found only in lock files and manifests'
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l unimportant -d 'Count what Debian calls unimportant'
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l no-cpe -d 'Do not count findings that are matched by CPE name only'
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l informational -d 'Count notices that are not vulnerabilities, such as unmaintained packages'
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l only-fixed -d 'Fail only on vulnerabilities with a fix'
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l fail-on-kev -d 'Fail on vulnerabilities that are known to be exploited (CISA KEV)'
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l policy-strict -d 'Refuse a bundle with any error, even in parts that this image does not use'
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l policy-all -d 'List every match of every rule in the table, not only the first few'
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l offline -d 'Do not use the network; whatever needs it is an error'
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l insecure-tls -d 'Do not verify certificates of servers: others on the network can read and change what is sent'
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -l plain-http -d 'Use plain http instead of https: others on the network can read and change what is sent'
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand evaluate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l platform -d 'The platform to take from an image made for several, as OS/ARCH[/VARIANT][:VERSION]' -r
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l containerd-namespace -d 'The namespace of containerd that has the image [default: whichever has it]' -r
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l tag -d 'The full name to give the image: registry, repository and tag' -r
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l image-digest -d 'The manifest digest to give the image, instead of the one it has' -r
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l image-id -d 'The image id to give the image, instead of the one it has: 64 hex digits' -r
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l dockerfile -d 'The Dockerfile that made the image; without it, one is guessed from its history' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l analyzer-config -d 'What the analyzers look for: the legacy engine\'s analyzer_config.yaml' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l only -d 'Analyze only these parts, in less time: packages, secrets, files; several with commas' -r -f -a "packages\t''
secrets\t''
files\t''"
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l digests -d 'More digests of every file, in addition to md5, sha1 and sha256' -r -f -a "sha384\t''
sha512\t''"
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l clamd -d 'Where clamd listens: a socket, or HOST:PORT [default: where Debian has it]' -r
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l image-budget -d 'How many times as much as usual an image may ask for: bytes that its layers unpack to, entries, packages' -r
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l threads -d 'How many threads to work with [default: one per core]' -r
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l cache-dir -d 'The directory to keep layers in [default: $XDG_CACHE_HOME/inscan, ~/.cache/inscan]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l cache-size -d 'How large the cache may get: what was not used for the longest time goes first' -r
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l registry-user -d 'Log in to the image\'s registry as this user' -r
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l registry-token -d 'Show this token to the image\'s registry' -r
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l authfile -d 'The file with credentials, as `podman login --authfile` and `docker login` write it [default: REGISTRY_AUTH_FILE, else the usual places of podman and docker]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l registries-conf -d 'The file with mirrors, other locations and blocked hosts [default: registries.conf and registries.conf.d where podman has them]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l cacert -d 'Trust the certificates in this PEM file too; may be repeated' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l client-cert -d 'Show this certificate (PEM) to servers that ask for one' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l client-key -d 'The private key (PEM) of the client certificate, where it is in a file of its own' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l connect-timeout -d 'Give a server up that cannot be reached within so many seconds' -r
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l stall-timeout -d 'Abort after this many seconds without data' -r
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l retries -d 'How often to ask again where that may help, with longer and longer waits between' -r
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l db -d 'The vulnerability database [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l db-max-age -d 'The oldest data to judge with: an age as 5d, 36h or 2w, and what then, as 5d:warn or 5d:fail' -r
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l db-update -d 'Fetch a newer database from here first, where that was not tried within a day' -r
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l db-update-deadline -d 'How long to wait for a newer database; what has come by then is kept for the next time' -r
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l db-verify-key -d 'Take only a newer database that is signed with this key: Ed25519 or ECDSA P-256, as PEM' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l severity -d 'Report findings of this severity or worse: unknown, negligible, low, medium, high, critical' -r -f -a "critical\t''
high\t''
medium\t''
low\t''
negligible\t''
unknown\t''"
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l fail-on -d 'Fail on vulnerabilities of this severity or worse' -r -f -a "critical\t''
high\t''
medium\t''
low\t''
negligible\t''
unknown\t''"
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l fail-on-secrets -d 'Fail on secrets of this severity or worse: low, medium, high, critical' -r -f -a "low\t'Also what is published, in documentation or in tests'
medium\t'Known by the words around it'
high\t'The credential of one service'
critical\t'A whole account or a private key'"
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l unrated -d 'What findings without a severity mean for `--fail-on`: pass, warn, fail, or a severity to take them for' -r
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l epss-above -d 'Fail above this probability of exploitation within 30 days (EPSS): 0 to 1' -r
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l on-uncovered -d 'What to do if something cannot be evaluated [default: fail if it could not be read, else warn]' -r -f -a "warn\t'Print a warning'
fail\t'The image fails'
ignore\t'Only show it in the report'"
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l ignore -d 'Exceptions: a YAML file with entries of id, package, purl, path, reason, expires; may be repeated' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l vex -d 'VEX documents: suppress findings marked not_affected or fixed; may be repeated' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l baseline -d 'Fail only on findings not in this earlier document of the image' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l hints -d 'Trust the package list in the image (/anchore_hints.json)'
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l malware -d 'Scan every file with a running clamd (ClamAV)'
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l one-file-system -d 'Of a root file system (`dir:`), leave out what other file systems hold that are mounted in it'
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l timings -d 'Show on stderr how long each layer, analyzer and step took'
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l no-cache -d 'Read every layer again, and store nothing in the layer cache'
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l registry-password-stdin -d 'Read the password of `--registry-user` from standard input'
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l allow-foreign-layers -d 'Fetch layers that the registry lacks from the addresses in the manifest'
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l offline -d 'Do not use the network; whatever needs it is an error'
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l insecure-tls -d 'Do not verify certificates of servers: others on the network can read and change what is sent'
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l plain-http -d 'Use plain http instead of https: others on the network can read and change what is sent'
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l hide-unfixed -d 'Hide findings without a fix'
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l show-suppressed -d 'Also list suppressed findings, each with its reason'
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l keep-owned -d 'Also evaluate language packages that an OS package installed'
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l lockfiles -d 'Also evaluate packages found only in lock files and manifests'
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l unimportant -d 'Count what Debian calls unimportant'
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l no-cpe -d 'Do not count findings that are matched by CPE name only'
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l informational -d 'Count notices that are not vulnerabilities, such as unmaintained packages'
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l only-fixed -d 'Fail only on vulnerabilities with a fix'
complete -c inscan -n "__fish_inscan_using_subcommand explain" -l fail-on-kev -d 'Fail on vulnerabilities that are known to be exploited (CISA KEV)'
complete -c inscan -n "__fish_inscan_using_subcommand explain" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l platform -d 'The platform to take from an image made for several, as OS/ARCH[/VARIANT][:VERSION]' -r
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l containerd-namespace -d 'The namespace of containerd that has the image [default: whichever has it]' -r
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l tag -d 'The full name to give the image: registry, repository and tag' -r
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l image-digest -d 'The manifest digest to give the image, instead of the one it has' -r
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l image-id -d 'The image id to give the image, instead of the one it has: 64 hex digits' -r
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l dockerfile -d 'The Dockerfile that made the image; without it, one is guessed from its history' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l analyzer-config -d 'What the analyzers look for: the legacy engine\'s analyzer_config.yaml' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l only -d 'Analyze only these parts, in less time: packages, secrets, files; several with commas' -r -f -a "packages\t''
secrets\t''
files\t''"
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l digests -d 'More digests of every file, in addition to md5, sha1 and sha256' -r -f -a "sha384\t''
sha512\t''"
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l clamd -d 'Where clamd listens: a socket, or HOST:PORT [default: where Debian has it]' -r
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l image-budget -d 'How many times as much as usual an image may ask for: bytes that its layers unpack to, entries, packages' -r
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l threads -d 'How many threads to work with [default: one per core]' -r
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l cache-dir -d 'The directory to keep layers in [default: $XDG_CACHE_HOME/inscan, ~/.cache/inscan]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l cache-size -d 'How large the cache may get: what was not used for the longest time goes first' -r
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l registry-user -d 'Log in to the image\'s registry as this user' -r
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l registry-token -d 'Show this token to the image\'s registry' -r
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l authfile -d 'The file with credentials, as `podman login --authfile` and `docker login` write it [default: REGISTRY_AUTH_FILE, else the usual places of podman and docker]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l registries-conf -d 'The file with mirrors, other locations and blocked hosts [default: registries.conf and registries.conf.d where podman has them]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l cacert -d 'Trust the certificates in this PEM file too; may be repeated' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l client-cert -d 'Show this certificate (PEM) to servers that ask for one' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l client-key -d 'The private key (PEM) of the client certificate, where it is in a file of its own' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l connect-timeout -d 'Give a server up that cannot be reached within so many seconds' -r
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l stall-timeout -d 'Abort after this many seconds without data' -r
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l retries -d 'How often to ask again where that may help, with longer and longer waits between' -r
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l annotation -d 'Something the backend is to keep with the image; may be repeated' -r
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l account -d 'The account that the image will be of [default: the backend\'s answer, else admin]' -r
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l parent-digest -d 'Digest of the manifest list that the image is from [default: the image\'s own]' -r
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l created-at -d 'When the image was made, in seconds since 1970 [default: now]' -r
complete -c inscan -n "__fish_inscan_using_subcommand archive" -s o -l output -d 'What to write, and where to (standard output unless a file is named)' -r
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l hints -d 'Trust the package list in the image (/anchore_hints.json)'
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l malware -d 'Scan every file with a running clamd (ClamAV)'
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l one-file-system -d 'Of a root file system (`dir:`), leave out what other file systems hold that are mounted in it'
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l timings -d 'Show on stderr how long each layer, analyzer and step took'
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l no-cache -d 'Read every layer again, and store nothing in the layer cache'
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l registry-password-stdin -d 'Read the password of `--registry-user` from standard input'
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l allow-foreign-layers -d 'Fetch layers that the registry lacks from the addresses in the manifest'
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l offline -d 'Do not use the network; whatever needs it is an error'
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l insecure-tls -d 'Do not verify certificates of servers: others on the network can read and change what is sent'
complete -c inscan -n "__fish_inscan_using_subcommand archive" -l plain-http -d 'Use plain http instead of https: others on the network can read and change what is sent'
complete -c inscan -n "__fish_inscan_using_subcommand archive" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand archive" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l platform -d 'The platform to take from an image made for several, as OS/ARCH[/VARIANT][:VERSION]' -r
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l containerd-namespace -d 'The namespace of containerd that has the image [default: whichever has it]' -r
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l tag -d 'The full name to give the image: registry, repository and tag' -r
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l image-digest -d 'The manifest digest to give the image, instead of the one it has' -r
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l image-id -d 'The image id to give the image, instead of the one it has: 64 hex digits' -r
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l dockerfile -d 'The Dockerfile that made the image; without it, one is guessed from its history' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l analyzer-config -d 'What the analyzers look for: the legacy engine\'s analyzer_config.yaml' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l only -d 'Analyze only these parts, in less time: packages, secrets, files; several with commas' -r -f -a "packages\t''
secrets\t''
files\t''"
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l digests -d 'More digests of every file, in addition to md5, sha1 and sha256' -r -f -a "sha384\t''
sha512\t''"
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l clamd -d 'Where clamd listens: a socket, or HOST:PORT [default: where Debian has it]' -r
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l image-budget -d 'How many times as much as usual an image may ask for: bytes that its layers unpack to, entries, packages' -r
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l threads -d 'How many threads to work with [default: one per core]' -r
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l cache-dir -d 'The directory to keep layers in [default: $XDG_CACHE_HOME/inscan, ~/.cache/inscan]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l cache-size -d 'How large the cache may get: what was not used for the longest time goes first' -r
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l registry-user -d 'Log in to the image\'s registry as this user' -r
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l registry-token -d 'Show this token to the image\'s registry' -r
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l authfile -d 'The file with credentials, as `podman login --authfile` and `docker login` write it [default: REGISTRY_AUTH_FILE, else the usual places of podman and docker]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l registries-conf -d 'The file with mirrors, other locations and blocked hosts [default: registries.conf and registries.conf.d where podman has them]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l cacert -d 'Trust the certificates in this PEM file too; may be repeated' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l client-cert -d 'Show this certificate (PEM) to servers that ask for one' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l client-key -d 'The private key (PEM) of the client certificate, where it is in a file of its own' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l connect-timeout -d 'Give a server up that cannot be reached within so many seconds' -r
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l stall-timeout -d 'Abort after this many seconds without data' -r
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l retries -d 'How often to ask again where that may help, with longer and longer waits between' -r
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l backend -d 'Whose API the backend has' -r -f -a "sysdig\t'Sysdig\'s: a token'
anchore\t'Anchore\'s engine: a user and a password'"
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l url -d 'Where it is, as https://HOST; also from SDC_URL, or ANCHORE_CLI_URL for an engine' -r
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l user -d 'Who we are to an Anchore engine; also from ANCHORE_CLI_USER' -r
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l token -d 'The API token; for an Anchore engine the password' -r
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l token-file -d 'Read the token from this file, or from standard input as `-`' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l timeout -d 'Give up when there is no verdict within so many seconds' -r
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l poll-interval -d 'Look so many seconds apart whether there is a verdict, 300 times at most' -r
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l annotation -d 'Something the backend is to keep with the image; may be repeated' -r
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l account -d 'The account that the image will be of [default: the backend\'s answer, else admin]' -r
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l parent-digest -d 'Digest of the manifest list that the image is from [default: the image\'s own]' -r
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l created-at -d 'When the image was made, in seconds since 1970 [default: now]' -r
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l pdf -d 'Keep the backend\'s report as PDF: a file, or a directory for one that is named by day and image' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand upload" -s o -l output -d 'What to write, and where to (standard output unless a file is named); may be repeated' -r
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l hints -d 'Trust the package list in the image (/anchore_hints.json)'
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l malware -d 'Scan every file with a running clamd (ClamAV)'
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l one-file-system -d 'Of a root file system (`dir:`), leave out what other file systems hold that are mounted in it'
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l timings -d 'Show on stderr how long each layer, analyzer and step took'
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l no-cache -d 'Read every layer again, and store nothing in the layer cache'
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l registry-password-stdin -d 'Read the password of `--registry-user` from standard input'
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l allow-foreign-layers -d 'Fetch layers that the registry lacks from the addresses in the manifest'
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l offline -d 'Do not use the network; whatever needs it is an error'
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l insecure-tls -d 'Do not verify certificates of servers: others on the network can read and change what is sent'
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l plain-http -d 'Use plain http instead of https: others on the network can read and change what is sent'
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l on-premises -d 'The result\'s address has `/secure` in it, as on premises'
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l remove-failed -d 'Remove the image from the backend if it fails'
complete -c inscan -n "__fish_inscan_using_subcommand upload" -l replace -d 'Remove the image from the backend first, and send it again'
complete -c inscan -n "__fish_inscan_using_subcommand upload" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand upload" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand legacy" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand legacy" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand legacy" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand legacy" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand legacy" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand legacy" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand analyzers" -s o -l output -d 'What to write, and where to (standard output unless a file is named); may be repeated' -r
complete -c inscan -n "__fish_inscan_using_subcommand analyzers" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand analyzers" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand analyzers" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand analyzers" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand analyzers" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand analyzers" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand analyzers" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand cache; and not __fish_seen_subcommand_from status clean path help" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand cache; and not __fish_seen_subcommand_from status clean path help" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand cache; and not __fish_seen_subcommand_from status clean path help" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand cache; and not __fish_seen_subcommand_from status clean path help" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand cache; and not __fish_seen_subcommand_from status clean path help" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand cache; and not __fish_seen_subcommand_from status clean path help" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand cache; and not __fish_seen_subcommand_from status clean path help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand cache; and not __fish_seen_subcommand_from status clean path help" -f -a "status" -d 'Show its directory, its size, and how much this version can use'
complete -c inscan -n "__fish_inscan_using_subcommand cache; and not __fish_seen_subcommand_from status clean path help" -f -a "clean" -d 'Remove all entries, or those that were not used lately'
complete -c inscan -n "__fish_inscan_using_subcommand cache; and not __fish_seen_subcommand_from status clean path help" -f -a "path" -d 'Print its directory'
complete -c inscan -n "__fish_inscan_using_subcommand cache; and not __fish_seen_subcommand_from status clean path help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from status" -l cache-dir -d 'The directory to keep layers in [default: $XDG_CACHE_HOME/inscan, ~/.cache/inscan]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from status" -l cache-size -d 'The limit to show it beside' -r
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from status" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from status" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from status" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from status" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from status" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from status" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from clean" -l cache-dir -d 'The directory to keep layers in [default: $XDG_CACHE_HOME/inscan, ~/.cache/inscan]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from clean" -l older-than -d 'Only what was not used for so many days' -r
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from clean" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from clean" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from clean" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from clean" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from clean" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from clean" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from clean" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from path" -l cache-dir -d 'The directory to keep layers in [default: $XDG_CACHE_HOME/inscan, ~/.cache/inscan]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from path" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from path" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from path" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from path" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from path" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from path" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from path" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from help" -f -a "status" -d 'Show its directory, its size, and how much this version can use'
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from help" -f -a "clean" -d 'Remove all entries, or those that were not used lately'
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from help" -f -a "path" -d 'Print its directory'
complete -c inscan -n "__fish_inscan_using_subcommand cache; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c inscan -n "__fish_inscan_using_subcommand db; and not __fish_seen_subcommand_from build update push status export import verify show search diff help" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and not __fish_seen_subcommand_from build update push status export import verify show search diff help" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand db; and not __fish_seen_subcommand_from build update push status export import verify show search diff help" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand db; and not __fish_seen_subcommand_from build update push status export import verify show search diff help" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and not __fish_seen_subcommand_from build update push status export import verify show search diff help" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand db; and not __fish_seen_subcommand_from build update push status export import verify show search diff help" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand db; and not __fish_seen_subcommand_from build update push status export import verify show search diff help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand db; and not __fish_seen_subcommand_from build update push status export import verify show search diff help" -f -a "build" -d 'Build a database from files of many sources'
complete -c inscan -n "__fish_inscan_using_subcommand db; and not __fish_seen_subcommand_from build update push status export import verify show search diff help" -f -a "update" -d 'Fetch a newer database, or what one is built of'
complete -c inscan -n "__fish_inscan_using_subcommand db; and not __fish_seen_subcommand_from build update push status export import verify show search diff help" -f -a "push" -d 'Push a database to a registry, for `inscan db update oci://…`'
complete -c inscan -n "__fish_inscan_using_subcommand db; and not __fish_seen_subcommand_from build update push status export import verify show search diff help" -f -a "status" -d 'Show the content and age of the database'
complete -c inscan -n "__fish_inscan_using_subcommand db; and not __fish_seen_subcommand_from build update push status export import verify show search diff help" -f -a "export" -d 'Copy the database to a file, for another machine'
complete -c inscan -n "__fish_inscan_using_subcommand db; and not __fish_seen_subcommand_from build update push status export import verify show search diff help" -f -a "import" -d 'Copy a database file to where scans look for it'
complete -c inscan -n "__fish_inscan_using_subcommand db; and not __fish_seen_subcommand_from build update push status export import verify show search diff help" -f -a "verify" -d 'Verify a database: its checksum, structure and signature'
complete -c inscan -n "__fish_inscan_using_subcommand db; and not __fish_seen_subcommand_from build update push status export import verify show search diff help" -f -a "show" -d 'Show everything about a vulnerability'
complete -c inscan -n "__fish_inscan_using_subcommand db; and not __fish_seen_subcommand_from build update push status export import verify show search diff help" -f -a "search" -d 'List the advisories that name a package'
complete -c inscan -n "__fish_inscan_using_subcommand db; and not __fish_seen_subcommand_from build update push status export import verify show search diff help" -f -a "diff" -d 'Show what is new or gone in a newer database'
complete -c inscan -n "__fish_inscan_using_subcommand db; and not __fish_seen_subcommand_from build update push status export import verify show search diff help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from build" -l from -d 'A file or folder to read; may be repeated' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from build" -s o -l to -d 'Where to write the database' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from build" -l previous -d 'The database before this one, which knows when a feed\'s records and fixes were first seen' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from build" -l report -d 'How to report what was read, and where to (standard output unless a file is named)' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from build" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from build" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from build" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from build" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from build" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from build" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from build" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l ecosystem -d 'Of the public sources\' advisories only this ecosystem, as OSV calls it; may be repeated' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l mirror -d 'A mirror of the public sources: each is asked at MIRROR/HOST/PATH' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l db -d 'The database file [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l verify-key -d 'Verify the signature (URL.sig) with this public key: Ed25519 or ECDSA P-256, as PEM' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l deadline -d 'Give up after so many seconds; what has come by then is kept for the next time' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l registry-user -d 'Log in to the image\'s registry as this user' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l registry-token -d 'Show this token to the image\'s registry' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l authfile -d 'The file with credentials, as `podman login --authfile` and `docker login` write it [default: REGISTRY_AUTH_FILE, else the usual places of podman and docker]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l registries-conf -d 'The file with mirrors, other locations and blocked hosts [default: registries.conf and registries.conf.d where podman has them]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l cacert -d 'Trust the certificates in this PEM file too; may be repeated' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l client-cert -d 'Show this certificate (PEM) to servers that ask for one' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l client-key -d 'The private key (PEM) of the client certificate, where it is in a file of its own' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l connect-timeout -d 'Give a server up that cannot be reached within so many seconds' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l stall-timeout -d 'Abort after this many seconds without data' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l retries -d 'How often to ask again where that may help, with longer and longer waits between' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l force -d 'Check the source even if that was done within a day'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l registry-password-stdin -d 'Read the password of `--registry-user` from standard input'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l allow-foreign-layers -d 'Fetch layers that the registry lacks from the addresses in the manifest'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l offline -d 'Do not use the network; whatever needs it is an error'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l insecure-tls -d 'Do not verify certificates of servers: others on the network can read and change what is sent'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -l plain-http -d 'Use plain http instead of https: others on the network can read and change what is sent'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from update" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from push" -l signature -d 'The file with its signature' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from push" -l registry-user -d 'Log in to the image\'s registry as this user' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from push" -l registry-token -d 'Show this token to the image\'s registry' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from push" -l authfile -d 'The file with credentials, as `podman login --authfile` and `docker login` write it [default: REGISTRY_AUTH_FILE, else the usual places of podman and docker]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from push" -l registries-conf -d 'The file with mirrors, other locations and blocked hosts [default: registries.conf and registries.conf.d where podman has them]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from push" -l cacert -d 'Trust the certificates in this PEM file too; may be repeated' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from push" -l client-cert -d 'Show this certificate (PEM) to servers that ask for one' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from push" -l client-key -d 'The private key (PEM) of the client certificate, where it is in a file of its own' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from push" -l connect-timeout -d 'Give a server up that cannot be reached within so many seconds' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from push" -l stall-timeout -d 'Abort after this many seconds without data' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from push" -l retries -d 'How often to ask again where that may help, with longer and longer waits between' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from push" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from push" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from push" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from push" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from push" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from push" -l registry-password-stdin -d 'Read the password of `--registry-user` from standard input'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from push" -l allow-foreign-layers -d 'Fetch layers that the registry lacks from the addresses in the manifest'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from push" -l offline -d 'Do not use the network; whatever needs it is an error'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from push" -l insecure-tls -d 'Do not verify certificates of servers: others on the network can read and change what is sent'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from push" -l plain-http -d 'Use plain http instead of https: others on the network can read and change what is sent'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from push" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from push" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from status" -l db -d 'The database file [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from status" -s o -l output -d 'How to say it, and where to (standard output unless a file is named); may be repeated' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from status" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from status" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from status" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from status" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from status" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from status" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from export" -l db -d 'The database file [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from export" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from export" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from export" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from export" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from export" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from export" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from import" -l db -d 'The database file [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from import" -l verify-key -d 'Verify the signature with this public key: Ed25519 or ECDSA P-256, as PEM' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from import" -l signature -d 'The file with the signature [default: the database\'s name and `.sig`]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from import" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from import" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from import" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from import" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from import" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from import" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from verify" -l db -d 'The database file [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from verify" -l verify-key -d 'Verify the signature with this public key: Ed25519 or ECDSA P-256, as PEM' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from verify" -l signature -d 'The file with the signature [default: the database\'s name and `.sig`]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from verify" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from verify" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from verify" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from verify" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from verify" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from verify" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from show" -l db -d 'The database file [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from show" -s o -l output -d 'How to show it, and where to (standard output unless a file is named); may be repeated' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from show" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from show" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from show" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from show" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from show" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from search" -l ecosystem -d 'Only in this ecosystem; a distribution without its release is meant with all of them' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from search" -l db -d 'The database file [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from search" -s o -l output -d 'How to list them, and where to (standard output unless a file is named); may be repeated' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from search" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from search" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from search" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from search" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from search" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from search" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from search" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from diff" -s o -l output -d 'How to say it, and where to (standard output unless a file is named); may be repeated' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from diff" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from diff" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from diff" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from diff" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from diff" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from diff" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from diff" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from help" -f -a "build" -d 'Build a database from files of many sources'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from help" -f -a "update" -d 'Fetch a newer database, or what one is built of'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from help" -f -a "push" -d 'Push a database to a registry, for `inscan db update oci://…`'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from help" -f -a "status" -d 'Show the content and age of the database'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from help" -f -a "export" -d 'Copy the database to a file, for another machine'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from help" -f -a "import" -d 'Copy a database file to where scans look for it'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Verify a database: its checksum, structure and signature'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show everything about a vulnerability'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from help" -f -a "search" -d 'List the advisories that name a package'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from help" -f -a "diff" -d 'Show what is new or gone in a newer database'
complete -c inscan -n "__fish_inscan_using_subcommand db; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and not __fish_seen_subcommand_from check explain init list show spec help" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand policy; and not __fish_seen_subcommand_from check explain init list show spec help" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and not __fish_seen_subcommand_from check explain init list show spec help" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and not __fish_seen_subcommand_from check explain init list show spec help" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and not __fish_seen_subcommand_from check explain init list show spec help" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and not __fish_seen_subcommand_from check explain init list show spec help" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and not __fish_seen_subcommand_from check explain init list show spec help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and not __fish_seen_subcommand_from check explain init list show spec help" -f -a "check" -d 'Check a bundle, and list all errors in it'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and not __fish_seen_subcommand_from check explain init list show spec help" -f -a "explain" -d 'Explain the result of a bundle for an image, rule by rule'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and not __fish_seen_subcommand_from check explain init list show spec help" -f -a "init" -d 'Write a template for your own bundle, with comments that say what to change'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and not __fish_seen_subcommand_from check explain init list show spec help" -f -a "list" -d 'List the built-in bundles'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and not __fish_seen_subcommand_from check explain init list show spec help" -f -a "show" -d 'Show a built-in bundle: its rules, the reason for each, and how to fix what they find'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and not __fish_seen_subcommand_from check explain init list show spec help" -f -a "spec" -d 'Show every gate, trigger and parameter that rules can use'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and not __fish_seen_subcommand_from check explain init list show spec help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from check" -s o -l output -d 'What to write beside the messages, and where to; may be repeated' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from check" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from check" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from check" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from check" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from check" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from check" -l tolerant -d 'Report errors in parts that may not be used as warnings only'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from check" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l platform -d 'The platform to take from an image made for several, as OS/ARCH[/VARIANT][:VERSION]' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l containerd-namespace -d 'The namespace of containerd that has the image [default: whichever has it]' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l tag -d 'The full name to give the image: registry, repository and tag' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l image-digest -d 'The manifest digest to give the image, instead of the one it has' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l image-id -d 'The image id to give the image, instead of the one it has: 64 hex digits' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l dockerfile -d 'The Dockerfile that made the image; without it, one is guessed from its history' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l analyzer-config -d 'What the analyzers look for: the legacy engine\'s analyzer_config.yaml' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l only -d 'Analyze only these parts, in less time: packages, secrets, files; several with commas' -r -f -a "packages\t''
secrets\t''
files\t''"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l digests -d 'More digests of every file, in addition to md5, sha1 and sha256' -r -f -a "sha384\t''
sha512\t''"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l clamd -d 'Where clamd listens: a socket, or HOST:PORT [default: where Debian has it]' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l image-budget -d 'How many times as much as usual an image may ask for: bytes that its layers unpack to, entries, packages' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l threads -d 'How many threads to work with [default: one per core]' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l cache-dir -d 'The directory to keep layers in [default: $XDG_CACHE_HOME/inscan, ~/.cache/inscan]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l cache-size -d 'How large the cache may get: what was not used for the longest time goes first' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l registry-user -d 'Log in to the image\'s registry as this user' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l registry-token -d 'Show this token to the image\'s registry' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l authfile -d 'The file with credentials, as `podman login --authfile` and `docker login` write it [default: REGISTRY_AUTH_FILE, else the usual places of podman and docker]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l registries-conf -d 'The file with mirrors, other locations and blocked hosts [default: registries.conf and registries.conf.d where podman has them]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l cacert -d 'Trust the certificates in this PEM file too; may be repeated' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l client-cert -d 'Show this certificate (PEM) to servers that ask for one' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l client-key -d 'The private key (PEM) of the client certificate, where it is in a file of its own' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l connect-timeout -d 'Give a server up that cannot be reached within so many seconds' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l stall-timeout -d 'Abort after this many seconds without data' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l retries -d 'How often to ask again where that may help, with longer and longer waits between' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l policy -d 'Judge also by this bundle of policies: a built-in name, a file of JSON or YAML, or `-`' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l policy-id -d 'Ask this policy of the bundle, instead of those that its mappings choose' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -s o -l output -d 'What to write, and where to (standard output unless a file is named); may be repeated' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l db -d 'The vulnerability database [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l db-max-age -d 'The oldest data to judge with: an age as 5d, 36h or 2w, and what then, as 5d:warn or 5d:fail' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l db-update -d 'Fetch a newer database from here first, where that was not tried within a day' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l db-update-deadline -d 'How long to wait for a newer database; what has come by then is kept for the next time' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l db-verify-key -d 'Take only a newer database that is signed with this key: Ed25519 or ECDSA P-256, as PEM' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l severity -d 'Report findings of this severity or worse: unknown, negligible, low, medium, high, critical' -r -f -a "critical\t''
high\t''
medium\t''
low\t''
negligible\t''
unknown\t''"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l fail-on -d 'Fail on vulnerabilities of this severity or worse' -r -f -a "critical\t''
high\t''
medium\t''
low\t''
negligible\t''
unknown\t''"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l fail-on-secrets -d 'Fail on secrets of this severity or worse: low, medium, high, critical' -r -f -a "low\t'Also what is published, in documentation or in tests'
medium\t'Known by the words around it'
high\t'The credential of one service'
critical\t'A whole account or a private key'"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l unrated -d 'What findings without a severity mean for `--fail-on`: pass, warn, fail, or a severity to take them for' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l epss-above -d 'Fail above this probability of exploitation within 30 days (EPSS): 0 to 1' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l on-uncovered -d 'What to do if something cannot be evaluated [default: fail if it could not be read, else warn]' -r -f -a "warn\t'Print a warning'
fail\t'The image fails'
ignore\t'Only show it in the report'"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l ignore -d 'Exceptions: a YAML file with entries of id, package, purl, path, reason, expires; may be repeated' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l vex -d 'VEX documents: suppress findings marked not_affected or fixed; may be repeated' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l baseline -d 'Fail only on findings not in this earlier document of the image' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l hints -d 'Trust the package list in the image (/anchore_hints.json)'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l malware -d 'Scan every file with a running clamd (ClamAV)'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l one-file-system -d 'Of a root file system (`dir:`), leave out what other file systems hold that are mounted in it'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l timings -d 'Show on stderr how long each layer, analyzer and step took'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l no-cache -d 'Read every layer again, and store nothing in the layer cache'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l registry-password-stdin -d 'Read the password of `--registry-user` from standard input'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l allow-foreign-layers -d 'Fetch layers that the registry lacks from the addresses in the manifest'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l offline -d 'Do not use the network; whatever needs it is an error'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l insecure-tls -d 'Do not verify certificates of servers: others on the network can read and change what is sent'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l plain-http -d 'Use plain http instead of https: others on the network can read and change what is sent'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l policy-strict -d 'Refuse a bundle with any error, even in parts that this image does not use'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l policy-all -d 'List every match of every rule in the table, not only the first few'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l all -d 'List every match of every rule'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l hide-unfixed -d 'Hide findings without a fix'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l show-suppressed -d 'Also list suppressed findings, each with its reason'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l keep-owned -d 'Also evaluate language packages that an OS package installed'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l lockfiles -d 'Also evaluate packages found only in lock files and manifests'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l unimportant -d 'Count what Debian calls unimportant'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l no-cpe -d 'Do not count findings that are matched by CPE name only'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l informational -d 'Count notices that are not vulnerabilities, such as unmaintained packages'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l only-fixed -d 'Fail only on vulnerabilities with a fix'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -l fail-on-kev -d 'Fail on vulnerabilities that are known to be exploited (CISA KEV)'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from init" -l from -d 'Begin with this bundle, by a name that `inscan policy list` shows' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from init" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from init" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from init" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from init" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from init" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from init" -l force -d 'Overwrite an existing file'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from init" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from list" -s o -l output -d 'What to write, and where to (standard output unless a file is named); may be repeated' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from list" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from list" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from list" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from list" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from list" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from show" -s o -l output -d 'What to write, and where to (standard output unless a file is named); may be repeated' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from show" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from show" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from show" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from show" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from show" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from spec" -s o -l output -d 'What to write, and where to (standard output unless a file is named); may be repeated' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from spec" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from spec" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from spec" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from spec" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from spec" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from spec" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from spec" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "check" -d 'Check a bundle, and list all errors in it'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "explain" -d 'Explain the result of a bundle for an image, rule by rule'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "init" -d 'Write a template for your own bundle, with comments that say what to change'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the built-in bundles'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show a built-in bundle: its rules, the reason for each, and how to fix what they find'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "spec" -d 'Show every gate, trigger and parameter that rules can use'
complete -c inscan -n "__fish_inscan_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c inscan -n "__fish_inscan_using_subcommand completions" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand completions" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand completions" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand completions" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand completions" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand completions" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand pull" -s o -l output -d 'Where to keep it; without REF it has its full name there' -r
complete -c inscan -n "__fish_inscan_using_subcommand pull" -l platform -d 'The platform to take from an image made for several, as OS/ARCH[/VARIANT][:VERSION]' -r
complete -c inscan -n "__fish_inscan_using_subcommand pull" -l threads -d 'How many layers to fetch at once' -r
complete -c inscan -n "__fish_inscan_using_subcommand pull" -l registry-user -d 'Log in to the image\'s registry as this user' -r
complete -c inscan -n "__fish_inscan_using_subcommand pull" -l registry-token -d 'Show this token to the image\'s registry' -r
complete -c inscan -n "__fish_inscan_using_subcommand pull" -l authfile -d 'The file with credentials, as `podman login --authfile` and `docker login` write it [default: REGISTRY_AUTH_FILE, else the usual places of podman and docker]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand pull" -l registries-conf -d 'The file with mirrors, other locations and blocked hosts [default: registries.conf and registries.conf.d where podman has them]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand pull" -l cacert -d 'Trust the certificates in this PEM file too; may be repeated' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand pull" -l client-cert -d 'Show this certificate (PEM) to servers that ask for one' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand pull" -l client-key -d 'The private key (PEM) of the client certificate, where it is in a file of its own' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand pull" -l connect-timeout -d 'Give a server up that cannot be reached within so many seconds' -r
complete -c inscan -n "__fish_inscan_using_subcommand pull" -l stall-timeout -d 'Abort after this many seconds without data' -r
complete -c inscan -n "__fish_inscan_using_subcommand pull" -l retries -d 'How often to ask again where that may help, with longer and longer waits between' -r
complete -c inscan -n "__fish_inscan_using_subcommand pull" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand pull" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand pull" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand pull" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand pull" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand pull" -l registry-password-stdin -d 'Read the password of `--registry-user` from standard input'
complete -c inscan -n "__fish_inscan_using_subcommand pull" -l allow-foreign-layers -d 'Fetch layers that the registry lacks from the addresses in the manifest'
complete -c inscan -n "__fish_inscan_using_subcommand pull" -l offline -d 'Do not use the network; whatever needs it is an error'
complete -c inscan -n "__fish_inscan_using_subcommand pull" -l insecure-tls -d 'Do not verify certificates of servers: others on the network can read and change what is sent'
complete -c inscan -n "__fish_inscan_using_subcommand pull" -l plain-http -d 'Use plain http instead of https: others on the network can read and change what is sent'
complete -c inscan -n "__fish_inscan_using_subcommand pull" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand pull" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l listen -d 'The address to listen on, or unix:PATH [default: 127.0.0.1:8080, and none for workers]' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l role -d 'What this process does: answer requests, do the jobs, or both' -r -f -a "all\t'Answer requests and do jobs'
web\t'Answer requests'
worker\t'Do jobs'"
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l data -d 'The folder for everything that is kept [default: inscan/server in $XDG_DATA_HOME or ~/.local/share]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l database -d 'Keep rows in this database instead of the folder: postgres://USER:PASSWORD@HOST/NAME?sslmode=verify-full' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l database-password-file -d 'Read the password of the database from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l key-file -d 'The key for passwords of registries and options of channels [default: key in the folder]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l objects -d 'Keep contents in this bucket instead of the folder: s3://BUCKET[/PREFIX]?endpoint=URL&region=NAME&path-style=BOOL' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l objects-credentials -d 'The file with the keys of the bucket, as Amazon\'s tools have it [default: AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l admin-token-file -d 'The administrator\'s token: read from this file, or written to it where it is not there yet' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l tls-cert -d 'Speak https with this certificate (PEM), with those up to its authority behind it' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l tls-key -d 'The private key (PEM) of the certificate' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l db -d 'The vulnerability database [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l workers -d 'How many jobs to do at a time' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l lease -d 'After how long a job whose process died is another one\'s' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l max-upload -d 'The largest archive that is taken' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l max-uploads -d 'How many archives are taken at a time' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l scan-time -d 'How long the analysis of an image here may take' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l scan-memory -d 'How much memory the analysis of an image here may take' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l watch-every -d 'How often watched tags and repositories are looked at' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l keep -d 'For how many days former verdicts, former analyses and events are kept' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l keep-versions -d 'Of each name, how many images before the newest are kept, also those older than `--keep`' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l keep-images -d 'For how many days an image is kept that is neither analyzed nor judged any longer' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l unknown-images -d 'What an admission controller is told about an image that is not known' -r -f -a "allow\t'It may run, with a warning'
deny\t'It may not run'
scan\t'It may not run, and is analyzed here'"
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l authfile -d 'The file with credentials, as `podman login --authfile` and `docker login` write it [default: REGISTRY_AUTH_FILE, else the usual places of podman and docker]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l registries-conf -d 'The file with mirrors, other locations and blocked hosts [default: registries.conf and registries.conf.d where podman has them]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l cacert -d 'Trust the certificates in this PEM file too; may be repeated' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l client-cert -d 'Show this certificate (PEM) to servers that ask for one' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l client-key -d 'The private key (PEM) of the client certificate, where it is in a file of its own' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l connect-timeout -d 'Give a server up that cannot be reached within so many seconds' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l stall-timeout -d 'Abort after this many seconds without data' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l retries -d 'How often to ask again where that may help, with longer and longer waits between' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l allow-private-webhooks -d 'Send webhooks also to private addresses and to this machine'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l offline -d 'Do not use the network; whatever needs it is an error'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l insecure-tls -d 'Do not verify certificates of servers: others on the network can read and change what is sent'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -l plain-http -d 'Use plain http instead of https: others on the network can read and change what is sent'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -f -a "backup" -d 'Write all rows to a file: a backup, or to move to another database'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -f -a "restore" -d 'Read all rows of a backup into an empty database, of either kind'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -f -a "migrate" -d 'Bring a database to the form that this version needs, and make an empty one'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -f -a "check" -d 'Look whether everything that is kept is whole'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -f -a "user" -d 'Add, list, change and remove users, also where nobody can log in any longer'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -f -a "token" -d 'Add, list and revoke tokens'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and not __fish_seen_subcommand_from backup restore migrate check user token help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from backup" -l data -d 'The folder for everything that is kept [default: inscan/server in $XDG_DATA_HOME or ~/.local/share]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from backup" -l database -d 'Keep rows in this database instead of the folder: postgres://USER:PASSWORD@HOST/NAME?sslmode=verify-full' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from backup" -l database-password-file -d 'Read the password of the database from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from backup" -l key-file -d 'The key for passwords of registries and options of channels [default: key in the folder]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from backup" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from backup" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from backup" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from backup" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from backup" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from backup" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from backup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from restore" -l data -d 'The folder for everything that is kept [default: inscan/server in $XDG_DATA_HOME or ~/.local/share]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from restore" -l database -d 'Keep rows in this database instead of the folder: postgres://USER:PASSWORD@HOST/NAME?sslmode=verify-full' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from restore" -l database-password-file -d 'Read the password of the database from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from restore" -l key-file -d 'The key for passwords of registries and options of channels [default: key in the folder]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from restore" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from restore" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from restore" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from restore" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from restore" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from restore" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from migrate" -l data -d 'The folder for everything that is kept [default: inscan/server in $XDG_DATA_HOME or ~/.local/share]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from migrate" -l database -d 'Keep rows in this database instead of the folder: postgres://USER:PASSWORD@HOST/NAME?sslmode=verify-full' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from migrate" -l database-password-file -d 'Read the password of the database from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from migrate" -l key-file -d 'The key for passwords of registries and options of channels [default: key in the folder]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from migrate" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from migrate" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from migrate" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from migrate" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from migrate" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from migrate" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from migrate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from check" -l data -d 'The folder for everything that is kept [default: inscan/server in $XDG_DATA_HOME or ~/.local/share]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from check" -l database -d 'Keep rows in this database instead of the folder: postgres://USER:PASSWORD@HOST/NAME?sslmode=verify-full' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from check" -l database-password-file -d 'Read the password of the database from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from check" -l key-file -d 'The key for passwords of registries and options of channels [default: key in the folder]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from check" -l objects -d 'Keep contents in this bucket instead of the folder: s3://BUCKET[/PREFIX]?endpoint=URL&region=NAME&path-style=BOOL' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from check" -l objects-credentials -d 'The file with the keys of the bucket, as Amazon\'s tools have it [default: AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials]' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from check" -l cacert -d 'Trust the certificates in this PEM file too; may be repeated' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from check" -l client-cert -d 'Show this certificate (PEM) to servers that ask for one' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from check" -l client-key -d 'The private key (PEM) of the client certificate, where it is in a file of its own' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from check" -l connect-timeout -d 'Give a server up that cannot be reached within so many seconds' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from check" -l stall-timeout -d 'Abort after this many seconds without data' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from check" -l retries -d 'How often to ask again where that may help, with longer and longer waits between' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from check" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from check" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from check" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from check" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from check" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from check" -l offline -d 'Do not use the network; whatever needs it is an error'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from check" -l insecure-tls -d 'Do not verify certificates of servers: others on the network can read and change what is sent'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from check" -l plain-http -d 'Use plain http instead of https: others on the network can read and change what is sent'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from check" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from user" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from user" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from user" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from user" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from user" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from user" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from user" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from user" -f -a "add" -d 'Add a user; without a password only tokens let it in'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from user" -f -a "list" -d 'List the users: name, role, whether they may log in, when they were added'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from user" -f -a "password" -d 'Give a user another password'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from user" -f -a "role" -d 'Change what a user may do'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from user" -f -a "remove" -d 'Remove a user with its tokens'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from user" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from token" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from token" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from token" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from token" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from token" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from token" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from token" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from token" -f -a "add" -d 'Add a token for a user, and write it to standard output'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from token" -f -a "list" -d 'List the tokens: id, user, what it is for, when it was added; never the token itself'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from token" -f -a "revoke" -d 'Revoke a token: it is worth nothing at once'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from token" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from help" -f -a "backup" -d 'Write all rows to a file: a backup, or to move to another database'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from help" -f -a "restore" -d 'Read all rows of a backup into an empty database, of either kind'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from help" -f -a "migrate" -d 'Bring a database to the form that this version needs, and make an empty one'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from help" -f -a "check" -d 'Look whether everything that is kept is whole'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from help" -f -a "user" -d 'Add, list, change and remove users, also where nobody can log in any longer'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from help" -f -a "token" -d 'Add, list and revoke tokens'
complete -c inscan -n "__fish_inscan_using_subcommand serve; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c inscan -n "__fish_inscan_using_subcommand compare-versions" -l ranges -d 'Behind the tab stands a range in this language; print true, false or ERR' -r -f -a "npm\t'As `^1.2.3 || 2.x`'
pep440\t'As `>=1.0,!=1.5.*`'
composer\t'As `~1.2 || ^2.0`'
feed\t'As `>= 1.0, < 1.2 || = 2.0`, in the order of the scheme'"
complete -c inscan -n "__fish_inscan_using_subcommand compare-versions" -l config -d 'Read settings from this file' -r -F
complete -c inscan -n "__fish_inscan_using_subcommand compare-versions" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'Plain lines'
json\t'A line of JSON for each event'
none\t'Nothing'"
complete -c inscan -n "__fish_inscan_using_subcommand compare-versions" -l color -d 'When to use colours (NO_COLOR is respected)' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c inscan -n "__fish_inscan_using_subcommand compare-versions" -l max-memory -d 'The memory that may be taken, such as 512MiB [default: 90 % of the cgroup\'s limit, 80 % of the machine\'s]' -r
complete -c inscan -n "__fish_inscan_using_subcommand compare-versions" -l error-format -d 'How to write an error on stderr' -r -f -a "text\t'For people'
json\t'One line of JSON: code, message, details, hint, exit'"
complete -c inscan -n "__fish_inscan_using_subcommand compare-versions" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c inscan -n "__fish_inscan_using_subcommand compare-versions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c inscan -n "__fish_inscan_using_subcommand help; and not __fish_seen_subcommand_from analyze scan evaluate explain archive upload legacy analyzers cache db policy completions pull serve compare-versions help" -f -a "analyze" -d 'Analyze an image, and write the analysis document'
complete -c inscan -n "__fish_inscan_using_subcommand help; and not __fish_seen_subcommand_from analyze scan evaluate explain archive upload legacy analyzers cache db policy completions pull serve compare-versions help" -f -a "scan" -d 'Scan an image: show its content, its vulnerabilities and the verdict'
complete -c inscan -n "__fish_inscan_using_subcommand help; and not __fish_seen_subcommand_from analyze scan evaluate explain archive upload legacy analyzers cache db policy completions pull serve compare-versions help" -f -a "evaluate" -d 'Evaluate an analysis document: show vulnerable packages and the verdict'
complete -c inscan -n "__fish_inscan_using_subcommand help; and not __fish_seen_subcommand_from analyze scan evaluate explain archive upload legacy analyzers cache db policy completions pull serve compare-versions help" -f -a "explain" -d 'Explain why a vulnerability does or does not affect an image'
complete -c inscan -n "__fish_inscan_using_subcommand help; and not __fish_seen_subcommand_from analyze scan evaluate explain archive upload legacy analyzers cache db policy completions pull serve compare-versions help" -f -a "archive" -d 'Write the analysis archive for a later upload to a backend'
complete -c inscan -n "__fish_inscan_using_subcommand help; and not __fish_seen_subcommand_from analyze scan evaluate explain archive upload legacy analyzers cache db policy completions pull serve compare-versions help" -f -a "upload" -d 'Get the verdict of a backend for an image: Sysdig\'s, or an Anchore engine'
complete -c inscan -n "__fish_inscan_using_subcommand help; and not __fish_seen_subcommand_from analyze scan evaluate explain archive upload legacy analyzers cache db policy completions pull serve compare-versions help" -f -a "legacy" -d 'Stand in for the legacy inline scanner: its command line, its output, its exit codes'
complete -c inscan -n "__fish_inscan_using_subcommand help; and not __fish_seen_subcommand_from analyze scan evaluate explain archive upload legacy analyzers cache db policy completions pull serve compare-versions help" -f -a "analyzers" -d 'List the analyzers, and what each finds'
complete -c inscan -n "__fish_inscan_using_subcommand help; and not __fish_seen_subcommand_from analyze scan evaluate explain archive upload legacy analyzers cache db policy completions pull serve compare-versions help" -f -a "cache" -d 'Show or empty the layer cache'
complete -c inscan -n "__fish_inscan_using_subcommand help; and not __fish_seen_subcommand_from analyze scan evaluate explain archive upload legacy analyzers cache db policy completions pull serve compare-versions help" -f -a "db" -d 'Build, fetch and inspect the vulnerability database'
complete -c inscan -n "__fish_inscan_using_subcommand help; and not __fish_seen_subcommand_from analyze scan evaluate explain archive upload legacy analyzers cache db policy completions pull serve compare-versions help" -f -a "policy" -d 'List, show, check and write bundles of policies'
complete -c inscan -n "__fish_inscan_using_subcommand help; and not __fish_seen_subcommand_from analyze scan evaluate explain archive upload legacy analyzers cache db policy completions pull serve compare-versions help" -f -a "completions" -d 'Print the completions for a shell'
complete -c inscan -n "__fish_inscan_using_subcommand help; and not __fish_seen_subcommand_from analyze scan evaluate explain archive upload legacy analyzers cache db policy completions pull serve compare-versions help" -f -a "pull" -d 'Copy an image to an OCI layout, for other tools or for later'
complete -c inscan -n "__fish_inscan_using_subcommand help; and not __fish_seen_subcommand_from analyze scan evaluate explain archive upload legacy analyzers cache db policy completions pull serve compare-versions help" -f -a "serve" -d 'Be a backend: keep the analysis of images, judge them, answer the clients that teams have'
complete -c inscan -n "__fish_inscan_using_subcommand help; and not __fish_seen_subcommand_from analyze scan evaluate explain archive upload legacy analyzers cache db policy completions pull serve compare-versions help" -f -a "compare-versions" -d 'Compare pairs of versions as an ecosystem orders them'
complete -c inscan -n "__fish_inscan_using_subcommand help; and not __fish_seen_subcommand_from analyze scan evaluate explain archive upload legacy analyzers cache db policy completions pull serve compare-versions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c inscan -n "__fish_inscan_using_subcommand help; and __fish_seen_subcommand_from cache" -f -a "status" -d 'Show its directory, its size, and how much this version can use'
complete -c inscan -n "__fish_inscan_using_subcommand help; and __fish_seen_subcommand_from cache" -f -a "clean" -d 'Remove all entries, or those that were not used lately'
complete -c inscan -n "__fish_inscan_using_subcommand help; and __fish_seen_subcommand_from cache" -f -a "path" -d 'Print its directory'
complete -c inscan -n "__fish_inscan_using_subcommand help; and __fish_seen_subcommand_from db" -f -a "build" -d 'Build a database from files of many sources'
complete -c inscan -n "__fish_inscan_using_subcommand help; and __fish_seen_subcommand_from db" -f -a "update" -d 'Fetch a newer database, or what one is built of'
complete -c inscan -n "__fish_inscan_using_subcommand help; and __fish_seen_subcommand_from db" -f -a "push" -d 'Push a database to a registry, for `inscan db update oci://…`'
complete -c inscan -n "__fish_inscan_using_subcommand help; and __fish_seen_subcommand_from db" -f -a "status" -d 'Show the content and age of the database'
complete -c inscan -n "__fish_inscan_using_subcommand help; and __fish_seen_subcommand_from db" -f -a "export" -d 'Copy the database to a file, for another machine'
complete -c inscan -n "__fish_inscan_using_subcommand help; and __fish_seen_subcommand_from db" -f -a "import" -d 'Copy a database file to where scans look for it'
complete -c inscan -n "__fish_inscan_using_subcommand help; and __fish_seen_subcommand_from db" -f -a "verify" -d 'Verify a database: its checksum, structure and signature'
complete -c inscan -n "__fish_inscan_using_subcommand help; and __fish_seen_subcommand_from db" -f -a "show" -d 'Show everything about a vulnerability'
complete -c inscan -n "__fish_inscan_using_subcommand help; and __fish_seen_subcommand_from db" -f -a "search" -d 'List the advisories that name a package'
complete -c inscan -n "__fish_inscan_using_subcommand help; and __fish_seen_subcommand_from db" -f -a "diff" -d 'Show what is new or gone in a newer database'
complete -c inscan -n "__fish_inscan_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "check" -d 'Check a bundle, and list all errors in it'
complete -c inscan -n "__fish_inscan_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "explain" -d 'Explain the result of a bundle for an image, rule by rule'
complete -c inscan -n "__fish_inscan_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "init" -d 'Write a template for your own bundle, with comments that say what to change'
complete -c inscan -n "__fish_inscan_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "list" -d 'List the built-in bundles'
complete -c inscan -n "__fish_inscan_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "show" -d 'Show a built-in bundle: its rules, the reason for each, and how to fix what they find'
complete -c inscan -n "__fish_inscan_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "spec" -d 'Show every gate, trigger and parameter that rules can use'
complete -c inscan -n "__fish_inscan_using_subcommand help; and __fish_seen_subcommand_from serve" -f -a "backup" -d 'Write all rows to a file: a backup, or to move to another database'
complete -c inscan -n "__fish_inscan_using_subcommand help; and __fish_seen_subcommand_from serve" -f -a "restore" -d 'Read all rows of a backup into an empty database, of either kind'
complete -c inscan -n "__fish_inscan_using_subcommand help; and __fish_seen_subcommand_from serve" -f -a "migrate" -d 'Bring a database to the form that this version needs, and make an empty one'
complete -c inscan -n "__fish_inscan_using_subcommand help; and __fish_seen_subcommand_from serve" -f -a "check" -d 'Look whether everything that is kept is whole'
complete -c inscan -n "__fish_inscan_using_subcommand help; and __fish_seen_subcommand_from serve" -f -a "user" -d 'Add, list, change and remove users, also where nobody can log in any longer'
complete -c inscan -n "__fish_inscan_using_subcommand help; and __fish_seen_subcommand_from serve" -f -a "token" -d 'Add, list and revoke tokens'
