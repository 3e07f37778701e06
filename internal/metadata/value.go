package metadata

import (
	"encoding/base64"
	"mime"
	"strings"
	"unicode/utf8"
)

// EncodeValue returns value in a form for stores that keep only ASCII. If value has other
// characters, or could be mistaken for an encoded word, the form is one or more encoded words of
// RFC 2047.
func EncodeValue(value string) string {
	if strings.Contains(value, "=?") || strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r > 0x7E }) {
		return encodedWord(value)
	}
	return value
}

// encodedWord encodes all of value as words of RFC 2047, even if mime.BEncoding would leave it as
// it is. Each word has at most 75 characters, as RFC 2047 requires. No character is split between
// two words.
func encodedWord(value string) string {
	const perWord = 45 // bytes of value in one word; they become 60 characters of base64
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

// decodeValue returns the value that EncodeValue has encoded. It returns a text that is not encoded as it is.
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
