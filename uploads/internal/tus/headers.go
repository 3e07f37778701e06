package tus

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"strings"
	"unicode/utf8"

	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/words"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
)

var checksums = []struct {
	name string
	make func() hash.Hash
}{
	{"sha1", sha1.New},
	{"md5", md5.New},
	{"crc32", func() hash.Hash { return crc32.NewIEEE() }},
	{"crc32c", func() hash.Hash { return crc32c.New() }},
	{"sha256", sha256.New},
	{"sha512", sha512.New},
}

// checksumNames returns the names of the algorithms, separated by commas.
func checksumNames() string {
	names := make([]string, len(checksums))
	for i, c := range checksums {
		names[i] = c.name
	}
	return strings.Join(names, ",")
}

// A checksum verifies the body of one request against the header Upload-Checksum.
type checksum struct {
	hash.Hash
	want []byte
}

// newChecksum parses the header Upload-Checksum, and returns nil if it is "".
func newChecksum(header string) (*checksum, error) {
	if header == "" {
		return nil, nil
	}
	name, text, _ := strings.Cut(header, " ")
	for _, c := range checksums {
		if c.name != name {
			continue
		}
		sum := &checksum{Hash: c.make()}
		want, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(want) != sum.Size() {
			return nil, refusal.Invalid("Upload-Checksum", "The checksum must be "+name+" in base64.")
		}
		sum.want = want
		return sum, nil
	}
	return nil, refusal.Invalid("Upload-Checksum", "The algorithm must be one of "+checksumNames()+".")
}

// verify fails if the body does not have the checksum that the client has sent.
func (c *checksum) verify() error {
	if c != nil && !bytes.Equal(c.Sum(nil), c.want) {
		return refusal.New("Upload-Checksum", refusal.CodeChecksumMismatch, "The bytes were damaged on their way. Send them again.")
	}
	return nil
}

// metadataHeader is the name of the header with the metadata, as errors give it.
const metadataHeader = "Upload-Metadata"

// setMetadata parses the header Upload-Metadata, in which Uppy and tus-js-client also send the name and
// the type of the file.
func setMetadata(n *session.Request, header string) error {
	if len(header) > session.MaxMetadataBytes {
		return refusal.Invalid(metadataHeader,
			"There is too much metadata: at most "+words.Bytes(session.MaxMetadataBytes)+" are allowed.")
	}
	n.Metadata = map[string]string{}
	if header != "" {
		for pair := range strings.SplitSeq(header, ",") {
			if err := addPair(n.Metadata, pair); err != nil {
				return err
			}
		}
	}
	if len(n.Metadata) > session.MaxMetadata {
		return refusal.Invalid(metadataHeader, "There is too much metadata.")
	}

	// Uppy and tus-js-client use different keys.
	n.Name = cmp.Or(n.Metadata["filename"], n.Metadata["name"])
	n.Type = cmp.Or(n.Metadata["filetype"], n.Metadata["type"])
	return nil
}

// addPair adds one pair of the header Upload-Metadata to metadata. The pair is a key and a value in base64, with a
// space between them.
func addPair(metadata map[string]string, pair string) error {
	name, text, _ := strings.Cut(strings.TrimSpace(pair), " ")
	_, isRepeated := metadata[name]
	if name == "" || isRepeated || !utf8.ValidString(name) {
		return refusal.Invalid(metadataHeader, "Each key of the metadata must occur once.")
	}
	value, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return refusal.Invalid(metadataHeader, "Values of metadata must be in base64.")
	}
	metadata[name] = string(value)
	return nil
}
