// Reads documents with encoding/json, and prints what it made of each: JSON, or `refused`.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
)

type platform struct {
	Architecture string   `json:"architecture"`
	OS           string   `json:"os"`
	OSFeatures   []string `json:"os.features"`
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	URLs        []string          `json:"urls"`
	Annotations map[string]string `json:"annotations"`
	Platform    *platform         `json:"platform"`
}

type document struct {
	SchemaVersion int          `json:"schemaVersion"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
	RootFS        struct {
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
	Tasks bool `json:"tasks"`
}

func main() {
	in, out := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for {
		var length uint32
		if binary.Read(in, binary.BigEndian, &length) != nil {
			return
		}
		text := make([]byte, length)
		if _, err := io.ReadFull(in, text); err != nil {
			panic(err)
		}
		var read document
		if json.Unmarshal(text, &read) != nil {
			out.WriteString("refused\n")
			continue
		}
		// Ends with a line feed.
		if err := json.NewEncoder(out).Encode(read); err != nil {
			panic(err)
		}
	}
}
