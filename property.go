package storage

import (
	"encoding/base64"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"
)

const (
	maxHeaderBytes   = 1024
	maxMetadataBytes = 2048 // S3 allows no more, names and values together
	maxMetadataKey   = 64

	// Metadata whose name begins so is the library's own: hidden from users,
	// refused in theirs, not copied.
	reservedMetadata = "omnibucket"
	// The name has letters only. Ceph RGW before Quincy returns "-" for "_", and
	// nginx drops headers with "_" unless it is told to keep them.
	writeIDKey = reservedMetadata + "writeid"
	// A write id is 16 random bytes in hexadecimal; every write leaves room for
	// one, so that whether metadata fits does not depend on a condition.
	writeIDBytes = 32
)

// oldWriteIDKeys are what earlier releases called writeIDKey, and what Ceph RGW
// made of it: such an object, or an upload in parts, may still be in the store.
var oldWriteIDKeys = [...]string{reservedMetadata + "_write_id", reservedMetadata + "-write-id"}

// holdsWriteID reports whether metadata, as a driver returned it, has this write
// id.
func holdsWriteID(metadata map[string]string, id string) bool {
	if metadata[writeIDKey] == id {
		return true
	}
	for _, old := range oldWriteIDKeys {
		if metadata[old] == id {
			return true
		}
	}
	return false
}

// isReserved reports whether a name of metadata is the library's own.
func isReserved(name string) bool { return strings.HasPrefix(name, reservedMetadata) }

// holdsReserved reports whether metadata, as a driver returned it, has an entry
// of the library's own.
func holdsReserved(metadata map[string]string) bool {
	for name := range metadata {
		if isReserved(strings.ToLower(name)) {
			return true
		}
	}
	return false
}

// checkProperties checks and normalises what a write sets, in place.
func checkProperties(p *Properties, given property) *Error {
	for _, h := range [...]struct{ option, value string }{
		{"WithContentType", p.ContentType},
		{"WithContentEncoding", p.ContentEncoding},
		{"WithContentDisposition", p.ContentDisposition},
		{"WithContentLanguage", p.ContentLanguage},
		{"WithCacheControl", p.CacheControl},
		{"WithStorageClass", p.StorageClass},
	} {
		if h.value != "" && !validHeader(h.value) {
			return invalid(h.option, "must be ASCII, as headers are, of at most 1,024 bytes without control characters or spaces at its ends; a file name beyond that is written as filename*=UTF-8''...")
		}
	}
	if given&propContentType != 0 && !validMediaType(p.ContentType) {
		return invalid("WithContentType", "must be type/subtype, not "+quoted(p.ContentType))
	}
	if len(p.Metadata) == 0 {
		p.Metadata = nil
		return nil
	}
	folded, err := foldMetadata(p.Metadata)
	if err != nil {
		return err
	}
	p.Metadata = folded
	return nil
}

func validHeader(value string) bool {
	return len(value) <= maxHeaderBytes && isASCII(value) && plainText(value) && strings.TrimSpace(value) == value
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func plainText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < 0x20 || r == 0x7F {
			return false
		}
	}
	return true
}

func validMediaType(value string) bool {
	if !validHeader(value) {
		return false
	}
	mediaType, _, err := mime.ParseMediaType(value)
	kind, sub, found := strings.Cut(mediaType, "/")
	return err == nil && found && kind != "" && sub != ""
}

// foldMetadata holds rule W8. It always answers with a map of its own: the
// caller's may change.
func foldMetadata(metadata map[string]string) (map[string]string, *Error) {
	folded := make(map[string]string, len(metadata)+1)
	size := len(writeIDKey) + writeIDBytes
	for key, value := range metadata {
		name := lowerASCII(key)
		if !validMetadataKey(name) {
			return nil, invalid("WithMetadata", "key "+quoted(key)+" must be a letter and up to 63 letters, digits, - or _")
		}
		if isReserved(name) {
			return nil, invalid("WithMetadata", "key "+quoted(key)+" is reserved: it begins with "+reservedMetadata)
		}
		if !plainText(value) || strings.TrimSpace(value) != value {
			return nil, invalid("WithMetadata", "value of "+quoted(key)+" must be UTF-8 text without control characters or spaces at its ends")
		}
		if _, twice := folded[name]; twice {
			lower, isThere := metadata[name]
			if !isThere {
				return nil, invalid("WithMetadata", "key "+quoted(name)+" is given twice, in different case")
			}
			value = lower
		}
		folded[name] = value
	}
	for name, value := range folded {
		size += len(name) + len(encodeMetadata(value))
	}
	if size > maxMetadataBytes {
		return nil, invalid("WithMetadata", fmt.Sprintf("takes %d bytes as stored, the write id's place included, and may take 2,048", size))
	}
	return folded, nil
}

// lowerASCII folds no other letters: U+212A, the sign for kelvin, is no "k".
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

func validMetadataKey(name string) bool {
	if name == "" || len(name) > maxMetadataKey || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// encodeMetadata is how a value is stored where only ASCII is: as an RFC 2047
// encoded word where it is not plain, or looks like one itself.
func encodeMetadata(value string) string {
	if strings.Contains(value, "=?") {
		return encodedWord(value)
	}
	for _, c := range []byte(value) {
		if c < 0x20 || c > 0x7E {
			return encodedWord(value)
		}
	}
	return value
}

// encodedWord encodes value whole, also where mime.BEncoding would leave it: in
// words of at most 75 characters, as RFC 2047 has it, none of which cuts a
// character in two.
func encodedWord(value string) string {
	const perWord = 45 // bytes: 60 characters of base64
	var words []string
	for value != "" {
		end := min(perWord, len(value))
		for end < len(value) && !utf8.RuneStart(value[end]) {
			end--
		}
		words = append(words, "=?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte(value[:end]))+"?=")
		value = value[end:]
	}
	return strings.Join(words, " ")
}

func decodeMetadata(value string) string {
	if !strings.Contains(value, "=?") {
		return value
	}
	decoded, err := new(mime.WordDecoder).DecodeHeader(value)
	if err != nil {
		return value
	}
	return decoded
}

// stored is what the driver is given: the metadata as the provider can hold it,
// with the write id where there is one.
func (c *core) stored(metadata map[string]string, writeID string) map[string]string {
	if writeID == "" && (len(metadata) == 0 || !c.desc.ASCIIMetadata) {
		return metadata
	}
	out := make(map[string]string, len(metadata)+1)
	for name, value := range metadata {
		if c.desc.ASCIIMetadata {
			value = encodeMetadata(value)
		}
		out[name] = value
	}
	if writeID != "" {
		out[writeIDKey] = writeID
	}
	return out
}

// shown is what the user gets back of the provider's metadata: folded, decoded,
// and without what is the library's own. Nothing is copied where nothing has to
// change; copyMetadata says that the map is somebody else's.
func (c *core) shown(metadata map[string]string) map[string]string {
	if len(metadata) == 0 {
		return nil
	}
	out := make(map[string]string, len(metadata))
	for key, value := range metadata {
		name := lowerASCII(key)
		if isReserved(name) {
			continue
		}
		if _, twice := out[name]; twice && name != key {
			continue // of two that fold together the one in lower case wins
		}
		if c.desc.ASCIIMetadata {
			value = decodeMetadata(value)
		}
		out[name] = value
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// contentType is rule W9: as given, else by the key's extension, else by the
// first bytes. sniff is called only where the key says nothing.
func contentType(given, key string, sniff func() []byte) string {
	if given != "" {
		return given
	}
	if t := typeByExtension(key); t != "" {
		return t
	}
	if head := sniff(); len(head) > 0 {
		return http.DetectContentType(head)
	}
	return "application/octet-stream"
}

func typeByExtension(key string) string {
	dot := strings.LastIndexByte(key, '.')
	if dot < 0 || strings.IndexByte(key[dot:], '/') >= 0 {
		return ""
	}
	extension := key[dot+1:]
	if t, ok := extensionTypes[extension]; ok {
		return t
	}
	return extensionTypes[strings.ToLower(extension)]
}
