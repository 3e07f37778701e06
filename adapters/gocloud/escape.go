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

// end is an escape of nothing. It ends a key whose last character cannot be the last one of a key,
// so that the stored key still begins with every prefix of the key.
const end = "__0x__"

// escapeKey returns key with the characters escaped that the library's rules refuse there. The
// escape is that of the Go CDK's own drivers, except for the end.
func escapeKey(key string) string {
	stored := escapePrefix(key)
	if strings.HasSuffix(stored, "/") || strings.HasSuffix(stored, ".") {
		stored += end
	}
	return stored
}

// escapeDelimiter escapes a delimiter as it is within a key.
func escapeDelimiter(delimiter string) string { return escapePrefix("x" + delimiter)[1:] }

// escapePrefix is escapeKey for a prefix, whose last character need not end a key.
func escapePrefix(prefix string) string {
	if !utf8.ValidString(prefix) {
		return prefix // the library refuses it
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

// mustEscape reports whether the rune at i cannot stand there in a key, or may begin an escape.
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

// unescapeKey returns the key of an escaped one.
func unescapeKey(key string) string {
	if !strings.Contains(key, "__0x") {
		return key
	}
	if cut, found := strings.CutSuffix(key, end); found &&
		(strings.HasSuffix(cut, "/") || strings.HasSuffix(cut, ".")) {
		key = cut
	}
	return escaped.ReplaceAllStringFunc(key, func(found string) string {
		r, err := strconv.ParseUint(found[4:len(found)-2], 16, 32)
		if err != nil || !utf8.ValidRune(rune(r)) {
			return found
		}
		return string(rune(r))
	})
}

// stored calls do with the key under which the adapter stores an object. If there is none, and the
// bucket lists the key as it is, it calls do with that: other programs may have stored "dir/" or
// "a//b". If that fails too, it returns the first failure.
func stored[T any](ctx context.Context, b storage.Bucket, key string, do func(key string) (T, error)) (T, error) {
	own := escapeKey(key)
	result, err := do(own)
	if own != key && storage.CodeOf(err) == storage.ObjectNotFound && listed(ctx, b, key) {
		if other, err := do(key); err == nil {
			return other, nil
		}
	}
	return result, err
}

// listed reports whether a listing has the key, as that of this object. A request for the key does not tell: MinIO
// responds to "/a" with the object "a". So it does to a listing of one entry, which therefore has two.
func listed(ctx context.Context, b storage.Bucket, key string) bool {
	if unescapeKey(key) != key {
		return false // an object with this key is that of another one
	}
	for entry, err := range b.List(ctx, storage.WithPrefix(key), storage.WithLimit(2)) {
		return err == nil && entry.Key == key
	}
	return false
}

const hexPrefix = "x-hex-"

var plainName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)

// escapeMetadata returns metadata as the library takes it.
func escapeMetadata(metadata map[string]string) (map[string]string, error) {
	out := make(map[string]string, len(metadata))
	for name, value := range metadata {
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, &storage.Error{
				Code: storage.InvalidArgument, Op: "Upload", Err: errors.New("metadata must be valid UTF-8"),
			}
		}
		if !plainName.MatchString(name) || unescapeName(name) != name || strings.HasPrefix(name, "omnibucket") {
			name = hexPrefix + hex.EncodeToString([]byte(name))
		}
		out[name] = storage.EncodeMetadataValue(value)
	}
	return out, nil
}

func unescapeMetadata(metadata map[string]string) map[string]string {
	if len(metadata) == 0 {
		return nil
	}
	out := make(map[string]string, len(metadata))
	for name, value := range metadata {
		out[unescapeName(name)] = storage.DecodeMetadataValue(value)
	}
	return out
}

// unescapeName returns the name that escapeMetadata or a driver of the Go CDK has escaped.
func unescapeName(name string) string {
	if digits, found := strings.CutPrefix(name, hexPrefix); found {
		if raw, err := hex.DecodeString(digits); err == nil {
			return string(raw)
		}
	}
	return unescapeKey(storage.DecodeMetadataValue(name))
}
