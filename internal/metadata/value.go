package metadata

import (
	"encoding/base64"
	"mime"
	"strings"
	"unicode/utf8"
)

// EncodeValue returns a value in a form for stores that keep only ASCII. If the value is not
// plain, or looks like an encoded word, the form is encoded words of RFC 2047.
func EncodeValue(value string) string {
	if strings.Contains(value, "=?") || strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r > 0x7E }) {
		return encodedWord(value)
	}
	return value
}

// encodedWord encodes all of value, also if mime.BEncoding would not: in words of at
// most 75 characters, as RFC 2047 requires, without cutting a character in two.
func encodedWord(value string) string {
	const perWord = 45 // bytes, which are 60 characters of base64
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
