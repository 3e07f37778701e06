package gocloud

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/omnibucket/storage"
)

// endMark is a suffix for a key whose last character is not permitted at the end of a key. The last
// character itself stays unchanged. If it were escaped, a listing with the old key as prefix would
// not find the object.
const endMark = escapeStart + "__"

// escapeStart begins each escape. The code point in hexadecimal digits and "__" follow.
const escapeStart = "__0x"

// needsEndMark reports whether the last character of a key is not permitted there.
func needsEndMark(key string) bool {
	return strings.HasSuffix(key, "/") || strings.HasSuffix(key, ".")
}

// escapeKey escapes what this library does not permit in a key, as the Go CDK's own drivers do. Only
// the end of a key, which may not be a slash or a dot, is marked differently.
func escapeKey(key string) string {
	escaped := escapePrefix(key)
	if needsEndMark(escaped) {
		escaped += endMark
	}
	return escaped
}

// escapeDelimiter escapes a delimiter as escapeKey escapes the same characters inside a key.
func escapeDelimiter(delimiter string) string {
	// At the beginning of a key, a slash would be escaped, so another character stands before it.
	const before = "x"
	return strings.TrimPrefix(escapePrefix(before+delimiter), before)
}

// escapePrefix escapes the beginning of a key. Unlike escapeKey, it does not mark the end, because the
// key may continue after the prefix.
func escapePrefix(prefix string) string {
	// The library returns an error for invalid UTF-8.
	if !utf8.ValidString(prefix) {
		return prefix
	}

	runes := []rune(prefix)
	var out strings.Builder
	for i, r := range runes {
		if mustEscape(runes, i) {
			fmt.Fprintf(&out, escapeStart+"%x__", r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

// mustEscape reports whether runes[i] must be escaped. That is so if the library does not permit it at this place
// of a key, or if it begins what looks like an escape.
func mustEscape(runes []rune, i int) bool {
	switch r := runes[i]; r {
	case '_':
		end := min(i+len(escapeStart), len(runes))
		return string(runes[i:end]) == escapeStart
	case '/':
		// A key must not begin with a slash, and no name in it may be empty or end in a dot.
		return i == 0 || runes[i-1] == '/' || runes[i-1] == '.'
	case '\\', 0x7F, 0xFFFE, 0xFFFF:
		return true
	default:
		return r < 0x20
	}
}

// escapeForm matches the escape of one character.
var escapeForm = regexp.MustCompile(escapeStart + `([0-9a-f]{1,6})__`)

// unescapeKey reverses escapeKey and escapePrefix. A key that only looks like an escaped one, because
// another program chose it, stays as it is.
func unescapeKey(key string) string {
	if !strings.Contains(key, escapeStart) {
		return key
	}
	original := decode(key)
	isEscaped := escapeKey(original) == key || escapePrefix(original) == key
	if !isEscaped {
		return key
	}
	return original
}

// decode returns key without its endMark, and with each escape, such as "__0x5c__", replaced by its character.
func decode(key string) string {
	// Only a key that ends in a slash or a dot gets an endMark.
	if rest, ok := strings.CutSuffix(key, endMark); ok && needsEndMark(rest) {
		key = rest
	}

	return escapeForm.ReplaceAllStringFunc(key, func(escape string) string {
		digits := strings.TrimSuffix(strings.TrimPrefix(escape, escapeStart), "__")
		r, err := strconv.ParseUint(digits, 16, 32)
		if err != nil || !utf8.ValidRune(rune(r)) {
			return escape
		}
		return string(rune(r))
	})
}

// withStoredKey calls do with the escaped form of key, under which this adapter stores objects. If
// there is no such object, but the bucket lists key itself, such as "dir/" or "a//b" of another
// program, it calls do with key. If both calls fail, it returns the first error.
func withStoredKey[T any](
	ctx context.Context, b storage.Bucket, key string, do func(key string) (T, error),
) (T, error) {
	escaped := escapeKey(key)
	result, err := do(escaped)
	if storage.CodeOf(err) != storage.ObjectNotFound {
		return result, err
	}

	isOtherKey := escaped != key
	if !isOtherKey || !isListed(ctx, b, key) {
		return result, err
	}
	otherResult, otherErr := do(key)
	if otherErr != nil {
		return result, err
	}
	return otherResult, nil
}

// isListed reports whether the bucket lists an object with exactly this key. It does not ask for the
// object, because MinIO returns the object "a" for "/a".
func isListed(ctx context.Context, b storage.Bucket, key string) bool {
	isEscapedForm := unescapeKey(key) != key
	if isEscapedForm {
		// The object with this key is that of another key.
		return false
	}

	// MinIO also returns a wrong result for the limit 1.
	for entry, err := range b.List(ctx, storage.WithPrefix(key), storage.WithLimit(2)) {
		return err == nil && entry.Key == key
	}
	return false
}

// hexPrefix is the beginning of an escaped name of metadata.
const hexPrefix = "x-hex-"

// plainName matches the names of metadata that the library permits.
var plainName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)

// escapeMetadata returns metadata with its values encoded, and with names escaped that the library does
// not permit or that look like escaped ones.
func escapeMetadata(metadata map[string]string) (map[string]string, error) {
	result := make(map[string]string, len(metadata))
	for name, value := range metadata {
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, &storage.Error{
				Code: storage.InvalidArgument,
				Op:   "Upload",
				Err:  errors.New("metadata must be valid UTF-8"),
			}
		}
		looksEscaped := unescapeName(name) != name
		isReserved := strings.HasPrefix(name, "omnibucket")
		if looksEscaped || isReserved || !plainName.MatchString(name) {
			name = hexPrefix + hex.EncodeToString([]byte(name))
		}
		result[name] = storage.EncodeMetadataValue(value)
	}
	return result, nil
}

// unescapeMetadata returns metadata with the names and values from before escapeMetadata, or nil if there is none.
func unescapeMetadata(metadata map[string]string) map[string]string {
	if len(metadata) == 0 {
		return nil
	}
	result := make(map[string]string, len(metadata))
	for name, value := range metadata {
		result[unescapeName(name)] = storage.DecodeMetadataValue(value)
	}
	return result
}

// unescapeName returns the name that escapeMetadata, or a driver of the Go CDK, has escaped.
func unescapeName(name string) string {
	if digits, ok := strings.CutPrefix(name, hexPrefix); ok {
		if raw, err := hex.DecodeString(digits); err == nil {
			return string(raw)
		}
	}
	return unescapeKey(storage.DecodeMetadataValue(name))
}
