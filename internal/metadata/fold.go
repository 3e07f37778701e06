package metadata

import (
	"fmt"
	"strings"

	"github.com/omnibucket/storage/internal/headertext"
	"github.com/omnibucket/storage/internal/redact"
)

const maxBytes = 2048 // largest total of names and values in bytes; limit of S3

// Fold returns a copy of a user's metadata with all names in lower case (rule W8). If the metadata
// breaks a rule, Fold returns the text of that rule, and possibly a hint.
func Fold(metadata map[string]string) (folded map[string]string, rule, hint string) {
	folded = make(map[string]string, len(metadata)+1)
	for key, value := range metadata {
		name := lowerASCII(key)
		rule, hint = checkEntry(key, name, value)
		if rule != "" {
			return nil, rule, hint
		}

		// If two keys differ only in case, the lower-case key takes precedence.
		if _, isDuplicate := folded[name]; isDuplicate {
			lowerCaseValue, ok := metadata[name]
			if !ok {
				return nil, "key " + redact.Quoted(name) + " is given twice, in different case", ""
			}
			value = lowerCaseValue
		}
		folded[name] = value
	}

	// There must be room for a write id, even if this write has none.
	size := len(WriteIDName) + WriteIDLength
	for name, value := range folded {
		size += len(name) + len(EncodeValue(value))
	}
	if size > maxBytes {
		return nil, fmt.Sprintf("takes %d bytes as stored, the write id's place included, and may take 2,048", size), ""
	}
	return folded, "", ""
}

// checkEntry returns the rule that one name or its value breaks, and possibly a hint, or "" if they
// break none. name is key in lower case.
func checkEntry(key, name, value string) (rule, hint string) {
	if !validName(name) {
		return "key " + redact.Quoted(key) + " must be a letter and up to 63 letters, digits, - or _", ""
	}
	if isReserved(name) {
		return "key " + redact.Quoted(key) + " is reserved: it begins with " + Reserved, ""
	}

	hasSpaces := strings.TrimSpace(value) != value
	if !headertext.Plain(value) || hasSpaces {
		rule = "value of " + redact.Quoted(key) + " must be UTF-8 text without control characters or spaces at its ends"
		return rule, "percent-encode the value, as storage.EncodeMetadataValue does"
	}
	return "", ""
}
