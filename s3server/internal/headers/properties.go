package headers

import (
	"cmp"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/tagging"
)

// MetadataPrefix is the beginning of the name of each header that carries user metadata.
const MetadataPrefix = "X-Amz-Meta-"

var redirection = regexp.MustCompile(`^(/|https?://)`)

var storageClasses = []string{
	state.Standard, "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE",
	"GLACIER_IR",
}

// Properties reads the properties of an object from the headers of a request.
// maxMetadata is the maximum sum of bytes of the names and values of the object's metadata.
func Properties(header http.Header, maxMetadata int) (state.Properties, error) {
	p := state.Properties{Header: http.Header{}, Class: cmp.Or(header.Get("X-Amz-Storage-Class"), state.Standard)}
	if !slices.Contains(storageClasses, p.Class) {
		return p, s3error.New("InvalidStorageClass", "StorageClassRequested", p.Class)
	}
	for _, name := range state.SystemHeaders {
		if value := header.Get(name); value != "" {
			// net/http has checked the headers, but not the fields of a form.
			if err := Sendable(name, value, unicode.MaxRune); err != nil {
				return p, err
			}
			p.Header.Set(name, value)
		}
	}
	if target := p.Header.Get(state.Redirection); target != "" && !redirection.MatchString(target) {
		return p, s3error.New("InvalidRedirectLocation")
	}
	p.KeepEncoding(strings.Join(header.Values("Content-Encoding"), ","))
	if p.Header.Get("Content-Type") == "" {
		p.Header.Set("Content-Type", "binary/octet-stream")
	}
	if err := readMetadata(header, p.Header, maxMetadata); err != nil {
		return p, err
	}
	var err error
	p.Tags, err = tagging.ReadHeader(header.Get("X-Amz-Tagging"))
	return p, err
}

// Sendable fails if value has a character that a header cannot have, or a character with a greater
// code point than limit. The error names the argument.
func Sendable(argument, value string, limit rune) error {
	isForbidden := func(c rune) bool { return c > limit || isControl(c) }
	if strings.ContainsFunc(value, isForbidden) {
		return s3error.New("InvalidArgument", "ArgumentName", argument).
			WithMessage("Header value cannot be represented using ISO-8859-1.")
	}
	return nil
}

// isControl reports whether a header cannot have c, because c is a control character. A tab is
// permitted.
func isControl(c rune) bool {
	if c == '\t' {
		return false
	}
	return c < ' ' || c == 0x7F
}

// readMetadata copies the user metadata from the headers of a request to those of an object.
// Responses must have the names in lower case, as on S3. It therefore does not use
// [http.Header.Set], which changes the case.
func readMetadata(src, header http.Header, limit int) error {
	total := 0
	for name, values := range src {
		value := strings.Join(values, ",")
		if !strings.HasPrefix(name, MetadataPrefix) {
			continue
		}
		total += len(name) - len(MetadataPrefix) + len(value)
		// Like S3, encode a value that is not ASCII.
		header[strings.ToLower(name)] = []string{mime.BEncoding.Encode("UTF-8", value)}
	}
	if total > limit {
		return s3error.New("MetadataTooLarge", "Size", strconv.Itoa(total), "MaxSizeAllowed", strconv.Itoa(limit))
	}
	return nil
}
