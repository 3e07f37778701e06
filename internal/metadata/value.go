package metadata

import (
	"encoding/base64"
	"mime"
	"strings"
	"unicode/utf8"
)

// EncodeValue returns value in a form for stores that keep only ASCII. A value with other
// characters, or one that could be mistaken for an encoded word, becomes one or more encoded words
// of RFC 2047.
func EncodeValue(value string) string {
	needsEncoding := func(r rune) bool { return r < 0x20 || r > 0x7E }
	if strings.Contains(value, "=?") || strings.ContainsFunc(value, needsEncoding) {
		return encodedWord(value)
	}
	return value
}

// encodedWord encodes all of value as words of RFC 2047, even if mime.BEncoding would leave it as
// it is. A word has at most 75 characters, as RFC 2047 requires, and splits no character.
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

// decodeValue returns the value that EncodeValue has encoded, and any other text as it is.
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
