// Package pagetoken makes a page token of two texts, which together say where a page of a listing
// begins.
package pagetoken

import (
	"encoding/base64"
	"strings"

	"github.com/omnibucket/storage/internal/argument"
)

// Encode returns a token of the two texts, which may contain any character.
func Encode(first, second string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(first)) + "." + base64.RawURLEncoding.EncodeToString([]byte(second))
}

// Parse returns the two texts that Encode has encoded in a token, which are both "" if token is "". It
// fails with InvalidArgument for another string.
func Parse(token string) (first, second string, err error) {
	if token == "" {
		return "", "", nil
	}
	encodedFirst, encodedSecond, hasTwo := strings.Cut(token, ".")
	rawFirst, firstErr := base64.RawURLEncoding.DecodeString(encodedFirst)
	rawSecond, secondErr := base64.RawURLEncoding.DecodeString(encodedSecond)
	if !hasTwo || firstErr != nil || secondErr != nil {
		return "", "", argument.Invalid("token", "must come from a listing of this bucket", "")
	}
	return string(rawFirst), string(rawSecond), nil
}
