package uploads

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/omnibucket/storage/internal/words"
)

// setMetadata reads the header Upload-Metadata. Uppy and tus-js-client send name and type
// of the file in it.
func (n *Request) setMetadata(header string) error {
	const field = "Upload-Metadata"
	if len(header) > maxMetadataBytes {
		return invalid(field, "There is too much metadata: at most "+words.Bytes(maxMetadataBytes)+" are allowed.")
	}
	n.Metadata = map[string]string{}
	for pair := range strings.SplitSeq(header, ",") {
		if header == "" {
			break
		}
		name, text, _ := strings.Cut(strings.TrimSpace(pair), " ")
		value, err := base64.StdEncoding.DecodeString(text)
		_, twice := n.Metadata[name]
		switch {
		case name == "" || twice || !utf8.ValidString(name):
			return invalid(field, "Each key of the metadata must occur once.")
		case err != nil:
			return invalid(field, "Values of metadata must be in base64.")
		}
		n.Metadata[name] = string(value)
	}
	if len(n.Metadata) > maxMetadata {
		return invalid(field, "There is too much metadata.")
	}
	n.Name = firstOf(n.Metadata, "filename", "name")
	n.Type = firstOf(n.Metadata, "filetype", "type")
	return nil
}

func firstOf(metadata map[string]string, names ...string) string {
	for _, name := range names {
		if value := metadata[name]; value != "" {
			return value
		}
	}
	return ""
}
