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

// Properties reads the properties of an object from the headers of a request. The names and values of its metadata may
// have at most maxMetadata bytes.
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

	// The encoding aws-chunked describes only the transfer, so it does not belong to the object.
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

// Sendable fails if the value of an argument has a character that no header can have, or one whose code point is
// greater than limit.
func Sendable(argument, value string, limit rune) error {
	isForbidden := func(c rune) bool { return c > limit || isControl(c) }
	if strings.ContainsFunc(value, isForbidden) {
		return s3error.New("InvalidArgument", "ArgumentName", argument).
			WithMessage("Header value cannot be represented using ISO-8859-1.")
	}
	return nil
}

// isControl reports whether c is a control character other than the tab, which headers may have.
func isControl(c rune) bool {
	if c == '\t' {
		return false
	}
	return c < ' ' || c == 0x7F
}

// readMetadata copies the user metadata from src, the headers of a request, to header, the headers of an object. It
// fails if the metadata has more than limit bytes.
func readMetadata(src, header http.Header, limit int) error {
	total := 0
	for name, values := range src {
		if !strings.HasPrefix(name, MetadataPrefix) {
			continue
		}
		value := strings.Join(values, ",")
		total += len(name) - len(MetadataPrefix) + len(value)
		// As on S3, the name has lower case, which Header.Set would change, and a value that is not ASCII is encoded.
		header[strings.ToLower(name)] = []string{mime.BEncoding.Encode("UTF-8", value)}
	}
	if total > limit {
		return s3error.New("MetadataTooLarge", "Size", strconv.Itoa(total), "MaxSizeAllowed", strconv.Itoa(limit))
	}
	return nil
}
