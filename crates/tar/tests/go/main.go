// Lists archives as Go's archive/tar reads them, for main.rs beside it.
//
// Standard input: archives, each behind its length as four big-endian bytes. Standard output: a
// line for each entry and, behind an archive's entries, `end` (it was read to its end), `error`
// with a text, or `big` (what follows was not read).
package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// Most bytes of one entry's content that are read.
const most = 4 << 20

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	defer out.Flush()
	for {
		var length uint32
		if err := binary.Read(in, binary.BigEndian, &length); err == io.EOF {
			return
		} else if err != nil {
			panic(err)
		}
		archive := make([]byte, length)
		if _, err := io.ReadFull(in, archive); err != nil {
			panic(err)
		}
		fmt.Fprintln(out, list(out, archive))
	}
}

func list(out io.Writer, archive []byte) string {
	// Neither seeks nor gives more than it is asked for: as a layer comes from a decompressor.
	reader := tar.NewReader(struct{ io.Reader }{bytes.NewReader(archive)})
	for {
		header, err := reader.Next()
		if err == io.EOF {
			return "end"
		}
		if err != nil {
			return fmt.Sprintf("error %q", err.Error())
		}
		name := fmt.Sprintf("%x", header.Name)
		if header.Typeflag == tar.TypeXGlobalHeader && header.PAXRecords == nil {
			// A number in the records was none: chance decides what else was taken of them.
			name = "?"
		}
		hash := fnv.New64a()
		size, err := io.Copy(hash, io.LimitReader(reader, most))
		if err != nil {
			return fmt.Sprintf("error %q", err.Error())
		}
		if size == most {
			return "big"
		}
		fmt.Fprintf(out, "entry [%s] [%x] %d %d %d %d %d %x [%x]\n", name, header.Linkname, header.Typeflag,
			size, header.Mode, header.Uid, header.Gid, hash.Sum64(), header.Xattrs["security.capability"])
	}
}
