package memstore

import (
	"encoding/base64"
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
)

// A position is a place in a listing of versions, directly after the version with this key and
// revision. If revision is 0, the position is after all versions of the key. The listing is ordered
// by key. The versions of a key are ordered from the newest to the oldest.
type position struct {
	key      string
	revision uint64
}

// beforeKey returns the position before all versions of key.
func beforeKey(key string) position { return position{key: key, revision: math.MaxUint64} }

// notBefore returns p, or the position before the first key with the prefix if that is later.
func (p position) notBefore(prefix string) position {
	if p.key < prefix {
		return beforeKey(prefix)
	}
	return p
}

// token returns the position as a page token. The token has only the key and revision of the last
// entry of a page. So the token stays valid if that entry is changed or removed.
func (p position) token() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatUint(p.revision, 10) + "/" + p.key))
}

// parseToken returns the position that a token encodes. It fails with InvalidArgument if no listing
// under prefix can have returned the token.
func parseToken(token, prefix string) (position, error) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return position{}, invalidToken()
	}

	// The text is the revision and the key, such as "7/photos/a.jpg".
	number, key, ok := strings.Cut(string(text), "/")
	if !ok || key == "" || !strings.HasPrefix(key, prefix) {
		return position{}, invalidToken()
	}
	// 0 is the position after all versions of the key. parseRevision would refuse it.
	if number == "0" {
		return position{key: key}, nil
	}
	revision, ok := parseRevision(number)
	if !ok {
		return position{}, invalidToken()
	}
	return position{key: key, revision: revision}, nil
}

// invalidToken returns the error for a token that is not from the listing.
func invalidToken() error {
	return &storage.Error{
		Code: storage.InvalidArgument,
		Err:  errors.New("token must be from a page of this listing"),
	}
}

// parseRevision parses a revision in the only form that this package writes, which has no leading
// zeros.
func parseRevision(text string) (uint64, bool) {
	if text == "" || text[0] < '1' || text[0] > '9' {
		return 0, false
	}
	revision, err := strconv.ParseUint(text, 10, 64)
	return revision, err == nil
}

// parseVersion returns the revision of a version, or 0 for "", which means the current version. If
// the version is malformed, it fails with InvalidArgument.
func parseVersion(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	number, hasTag := strings.CutPrefix(text, revisionTag)
	revision, ok := parseRevision(number)
	if !ok || !hasTag {
		return 0, &storage.Error{
			Code: storage.InvalidArgument,
			Err:  errors.New("version must be one that this bucket returned"),
		}
	}
	return revision, nil
}
