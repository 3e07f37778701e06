package memstore

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
)

// A position is a place in a listing: behind the key's versions that are newer
// than revision; with revision 0 behind all of them.
type position struct {
	key      string
	revision uint64
}

// token names the last entry of a page, so that it outlives the process and
// whatever happens to that entry.
func (p position) token() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatUint(p.revision, 10) + "/" + p.key))
}

// parseToken is the position behind the page that gave the token;
// InvalidArgument for what no listing under prefix gave.
func parseToken(token, prefix string) (position, error) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(token)
	number, key, found := strings.Cut(string(text), "/")
	revision, ok := parseRevision(number)
	if err != nil || !found || !ok && number != "0" || key == "" || !strings.HasPrefix(key, prefix) {
		return position{}, &storage.Error{Code: storage.InvalidArgument, Err: errors.New("token is not one of this listing")}
	}
	return position{key, revision}, nil
}

// parseRevision reads a revision in the one form that we give it.
func parseRevision(text string) (uint64, bool) {
	if text == "" || text[0] < '1' || text[0] > '9' {
		return 0, false
	}
	revision, err := strconv.ParseUint(text, 10, 64)
	return revision, err == nil
}

// parseVersion reads a version, which is its revision; 0 for "", the current
// one. A malformed version is InvalidArgument, never the current one.
func parseVersion(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	number, tagged := strings.CutPrefix(text, revisionTag)
	revision, ok := parseRevision(number)
	if !ok || !tagged {
		return 0, &storage.Error{Code: storage.InvalidArgument, Err: errors.New("version must be one that this bucket gave")}
	}
	return revision, nil
}
