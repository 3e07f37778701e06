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

// end is a suffix for a key whose last character is not permitted at the end of a key. The last
// character itself stays unchanged. If it were escaped, a listing with the old key as prefix would
// not find the object.
const end = "__0x__"

// escapeKey escapes the characters that this library does not permit in a key. The escapes are the
// same as those of the Go CDK's own drivers, except at the end of a key.
func escapeKey(key string) string {
	value := escapePrefix(key)
	if strings.HasSuffix(value, "/") || strings.HasSuffix(value, ".") {
		value += end
	}
	return value
}

// escapeDelimiter escapes a delimiter as escapeKey escapes the same characters inside a key.
func escapeDelimiter(delimiter string) string { return escapePrefix("x" + delimiter)[1:] }

// escapePrefix escapes the beginning of a key. Unlike escapeKey, it appends no suffix, because the
// key may continue after the prefix.
func escapePrefix(prefix string) string {
	if !utf8.ValidString(prefix) {
		// The library returns an error for it.
		return prefix
	}
	runes := []rune(prefix)
	var out strings.Builder
	for i, r := range runes {
		if mustEscape(runes, i) {
			fmt.Fprintf(&out, "__0x%x__", r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

// mustEscape reports whether runes[i] must be escaped. Either a key may not have that rune at this
// place, or the rune looks like the beginning of an escape.
func mustEscape(runes []rune, i int) bool {
	switch r := runes[i]; r {
	case '_':
		return string(runes[i:min(i+len("__0x"), len(runes))]) == "__0x"
	case '/':
		return i == 0 || runes[i-1] == '/' || runes[i-1] == '.'
	case '\\', 0x7F, 0xFFFE, 0xFFFF:
		return true
	default:
		return r < 0x20
	}
}

var escaped = regexp.MustCompile(`__0x([0-9a-f]{1,6})__`)

// unescapeKey reverses escapeKey: it returns the original of an escaped key. Another program may have
// chosen a key that only looks like an escaped one. Such a key stays as it is.
func unescapeKey(key string) string {
	if !strings.Contains(key, "__0x") {
		return key
	}
	original := decoded(key)
	if escapeKey(original) != key && escapePrefix(original) != key {
		// A common prefix has no suffix.
		return key
	}
	return original
}

// decoded returns key with each escape replaced by its character.
func decoded(key string) string {
	if cut, ok := strings.CutSuffix(key, end); ok &&
		(strings.HasSuffix(cut, "/") || strings.HasSuffix(cut, ".")) {
		key = cut
	}
	return escaped.ReplaceAllStringFunc(key, func(value string) string {
		r, err := strconv.ParseUint(value[4:len(value)-2], 16, 32)
		if err != nil || !utf8.ValidRune(rune(r)) {
			return value
		}
		return string(rune(r))
	})
}

// The function stored runs a callback with the escaped key, because this adapter stores objects
// under escaped keys.
//
// Another program may have stored the object without escapes, for example as "dir/" or "a//b". If
// the escaped key does not exist but the bucket lists the unescaped key, the function runs the
// callback a second time, with the unescaped key. If the second run also fails, the result is the
// error of the first run.
func stored[T any](ctx context.Context, b storage.Bucket, key string, do func(key string) (T, error)) (T, error) {
	escaped := escapeKey(key)
	result, err := do(escaped)
	if escaped != key && storage.CodeOf(err) == storage.ObjectNotFound && listed(ctx, b, key) {
		if other, err := do(key); err == nil {
			return other, nil
		}
	}
	return result, err
}

// listed reports whether the bucket lists an object with exactly this key. A request for the key is
// not reliable: MinIO returns the object "a" for "/a". The listing has the limit 2, because MinIO
// also returns a wrong result for the limit 1.
func listed(ctx context.Context, b storage.Bucket, key string) bool {
	if unescapeKey(key) != key {
		// This key is the escaped form of another key, whose object this adapter has stored.
		return false
	}
	for entry, err := range b.List(ctx, storage.WithPrefix(key), storage.WithLimit(2)) {
		return err == nil && entry.Key == key
	}
	return false
}

const hexPrefix = "x-hex-"

var plainName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)

// escapeMetadata returns metadata in which names that the library does not permit are escaped.
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
		if !plainName.MatchString(name) || unescapeName(name) != name || strings.HasPrefix(name, "omnibucket") {
			name = hexPrefix + hex.EncodeToString([]byte(name))
		}
		result[name] = storage.EncodeMetadataValue(value)
	}
	return result, nil
}

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
