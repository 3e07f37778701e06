package metadata

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/omnibucket/storage/internal/redact"
)

// These are the strictest limits of all providers. The counts and lengths come from S3 and Azure,
// and the permitted characters from Azure. Google requires that the first character is not "/" and
// that no value is empty. S3 permits 8 KiB of headers, one of which holds the tags.
const (
	maxTags        = 10
	maxTagKey      = 128
	maxTagValue    = 256
	maxTagsEncoded = 4 << 10 // largest total in bytes after URL encoding
	tagRule        = "of ASCII letters, digits, spaces and + - . : = _, beginning with a letter or digit and without a space at the end"
)

// CheckTags returns the rule that the tags break, or "".
func CheckTags(tags map[string]string) string {
	if len(tags) > maxTags {
		return fmt.Sprintf("has %d tags, and may have %d", len(tags), maxTags)
	}
	encoded := url.Values{}
	for key, value := range tags {
		lower := lowerASCII(key)
		if len(key) > maxTagKey || !validTag(key) {
			return "key " + redact.Quoted(key) + " must be 1 to 128 " + tagRule
		}
		if strings.HasPrefix(lower, "aws:") || strings.HasPrefix(lower, "goog") {
			return "key " + redact.Quoted(key) + " is the provider's: it begins with aws: or goog"
		}
		if len(value) > maxTagValue || !validTag(value) {
			return "value of " + redact.Quoted(key) + " must be 1 to 256 " + tagRule
		}
		encoded.Set(key, value)
	}
	if size := len(encoded.Encode()); size > maxTagsEncoded {
		return fmt.Sprintf("takes %d bytes URL-encoded, and may take 4,096", size)
	}
	return ""
}

// validTag reports whether text may be a key or a value of a tag. It must begin with a letter or
// digit, may have some other characters after that, and must not end in a space.
func validTag(text string) bool {
	if text == "" || text[len(text)-1] == ' ' {
		return false
	}
	for i, c := range []byte(text) {
		isLetter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		isDigit := c >= '0' && c <= '9'
		if isLetter || isDigit {
			continue
		}
		isAllowed := strings.IndexByte("+-.:=_ ", c) >= 0
		if i == 0 || !isAllowed {
			return false
		}
	}
	return true
}
