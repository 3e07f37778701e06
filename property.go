package storage

import (
	"encoding/base64"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/omnibucket/storage/internal/mediatype"
	"github.com/omnibucket/storage/internal/writeid"
)

const (
	maxHeaderBytes   = 1024
	maxMetadataBytes = 2048 // S3 allows no more, names and values together
	maxMetadataKey   = 64

	// Metadata with this prefix is the library's own: hidden from users, refused in
	// their metadata, and not copied.
	reservedMetadata = "omnibucket"
	// The name has letters only. Ceph RGW before Quincy returns "-" for "_", and
	// nginx drops headers with "_" unless it is told to keep them.
	writeIDKey = writeid.Key
	// A write id is 16 random bytes in hexadecimal. Every write leaves room for one, so
	// that a condition does not change whether metadata fits.
	writeIDBytes = 32
)

// oldWriteIDKeys are the names that earlier releases used for writeIDKey, and what Ceph
// RGW made of them. Objects and multipart uploads with them may still be in a store.
var oldWriteIDKeys = [...]string{reservedMetadata + "_write_id", reservedMetadata + "-write-id"}

// holdsWriteID reports whether metadata of a driver has this write id.
func holdsWriteID(metadata map[string]string, id string) bool {
	if id == "" {
		return false
	}
	if metadata[writeIDKey] == id {
		return true
	}
	return slices.ContainsFunc(oldWriteIDKeys[:], func(old string) bool { return metadata[old] == id })
}

// isReserved reports whether a name of metadata is the library's own.
func isReserved(name string) bool { return strings.HasPrefix(name, reservedMetadata) }

// holdsReserved reports whether metadata of a driver has an entry of the library's own.
func holdsReserved(metadata map[string]string) bool {
	for name := range metadata {
		if isReserved(strings.ToLower(name)) {
			return true
		}
	}
	return false
}

// textProperties has the properties that are text, with their options.
var textProperties = [...]struct {
	bit    property
	option string
	of     func(*Properties) *string
}{
	{propContentType, "WithContentType", func(p *Properties) *string { return &p.ContentType }},
	{propContentEncoding, "WithContentEncoding", func(p *Properties) *string { return &p.ContentEncoding }},
	{propContentDisposition, "WithContentDisposition", func(p *Properties) *string { return &p.ContentDisposition }},
	{propContentLanguage, "WithContentLanguage", func(p *Properties) *string { return &p.ContentLanguage }},
	{propCacheControl, "WithCacheControl", func(p *Properties) *string { return &p.CacheControl }},
	{propStorageClass, "WithStorageClass", func(p *Properties) *string { return &p.StorageClass }},
}

// checkProperties checks and normalises, in place, the properties that a write sets.
func checkProperties(p *Properties, given property) *Error {
	for _, text := range textProperties {
		if value := *text.of(p); value != "" && !validHeader(value) {
			return invalid(text.option, "must be ASCII, as headers are, of at most 1,024 bytes without control characters or spaces at its ends; a file name beyond that is written as filename*=UTF-8''...")
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

// needProperties refuses the options that ask for what the store does not keep.
func (c *core) needProperties(p *Properties, given property) *Error {
	if c.has(Metadata | ContentProperties) {
		return nil
	}
	if given&propMetadata != 0 && len(p.Metadata) > 0 {
		if e := c.need(Metadata, "WithMetadata"); e != nil {
			return e
		}
	}
	for _, text := range textProperties {
		if given&text.bit == 0 || text.bit == propStorageClass || *text.of(p) == "" && text.bit != propContentType {
			continue
		}
		if e := c.need(ContentProperties, text.option); e != nil {
			return e
		}
	}
	return nil
}

// dropProperties clears what the store does not keep. No option asked for it: it is a
// copy's source that has it.
func (c *core) dropProperties(p *Properties) {
	if !c.has(Metadata) {
		p.Metadata = nil
	}
	if !c.has(ContentProperties) {
		*p = Properties{Metadata: p.Metadata, StorageClass: p.StorageClass}
	}
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

// foldMetadata implements rule W8. It returns a map of its own: the caller's may
// change.
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
			e := invalid("WithMetadata", "value of "+quoted(key)+" must be UTF-8 text without control characters or spaces at its ends")
			e.Hint = "percent-encode the value, as storage.EncodeMetadataValue does"
			return nil, e
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
		size += len(name) + len(encodeValue(value))
	}
	if size > maxMetadataBytes {
		return nil, invalid("WithMetadata", fmt.Sprintf("takes %d bytes as stored, the write id's place included, and may take 2,048", size))
	}
	return folded, nil
}

// lowerASCII folds only ASCII letters: U+212A, the kelvin sign, is not a "k".
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

// encodeValue returns a value as a store keeps it that knows only ASCII: as RFC 2047
// encoded words, if it is not plain or looks like an encoded word.
func encodeValue(value string) string {
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

// encodedWord encodes all of value, also if mime.BEncoding would not: in words of at
// most 75 characters, as RFC 2047 requires, without cutting a character in two.
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

func decodeValue(value string) string {
	if !strings.Contains(value, "=?") {
		return value
	}
	decoded, err := new(mime.WordDecoder).DecodeHeader(value)
	if err != nil {
		return value
	}
	return decoded
}

// encodeMetadata returns metadata for a driver: as the provider can keep it, with the
// write id if there is one.
func (c *core) encodeMetadata(metadata map[string]string, writeID string) map[string]string {
	if writeID == "" && (len(metadata) == 0 || !c.desc.ASCIIMetadata) {
		return metadata
	}
	out := make(map[string]string, len(metadata)+1)
	for name, value := range metadata {
		if c.desc.ASCIIMetadata {
			value = encodeValue(value)
		}
		out[name] = value
	}
	if writeID != "" {
		out[writeIDKey] = writeID
	}
	return out
}

// decodeMetadata returns the metadata of a driver as the user sees it: folded, decoded,
// and without the library's own entries.
func (c *core) decodeMetadata(metadata map[string]string) map[string]string {
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
			continue // of two that fold to one name, the one in lower case wins
		}
		if c.desc.ASCIIMetadata {
			value = decodeValue(value)
		}
		out[name] = value
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// contentType implements rule W9: the type that was given, else that of the key's
// extension, else that of the first bytes. sniff returns the first bytes, and is called
// only if they are needed. It may be nil.
func contentType(given, key string, sniff func() []byte) string {
	if given != "" {
		return given
	}
	if t := mediatype.ByExtension(key); t != "" {
		return t
	}
	if sniff != nil {
		if head := sniff(); len(head) > 0 {
			return http.DetectContentType(head)
		}
	}
	return "application/octet-stream"
}

// toUser changes a driver's Attrs to what the user sees: without prefix and reserved metadata,
// and with a tagged revision. If the store keeps no content type (a file that was put into a
// directory by hand), it is that of the extension.
func (o *operation) toUser(a *Attrs) *Attrs {
	a.Key = o.key[len(o.prefix):]
	a.Revision = o.core.tagged(a.Revision)
	a.Metadata = o.core.decodeMetadata(a.Metadata)
	if a.ContentType == "" {
		a.ContentType = contentType("", o.key, nil)
	}
	if !o.core.has(Versioning) {
		a.Version = ""
	}
	return a
}

// toUserWritten is toUser for Attrs with the user's metadata.
func (o *operation) toUserWritten(a *Attrs) *Attrs {
	metadata := a.Metadata
	a.Metadata = nil
	a = o.toUser(a)
	a.Metadata = maps.Clone(metadata) // a driver may keep the map that it was given
	return a
}
