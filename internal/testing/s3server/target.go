package s3server

import (
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A target is what an address names: an object, a bucket, or the account.
type target struct{ bucket, key string }

func (t target) kind() string {
	switch {
	case t.key != "":
		return "OBJECT"
	case t.bucket != "":
		return "BUCKET"
	}
	return "SERVICE"
}

const maxKey = 1024 // bytes

// locate reads the target off host and path.
func (h *Handler) locate(r *http.Request) (target, error) {
	// S3 takes a plus sign in the path for a space, against RFC 3986: a client
	// has to send %2B.
	path, err := url.QueryUnescape(strings.TrimPrefix(r.URL.EscapedPath(), "/"))
	if err != nil || !utf8.ValidString(path) {
		return target{}, newError("InvalidURI")
	}
	t := target{bucket: h.hostBucket(r.Host), key: path}
	if t.bucket == "" {
		t.bucket, t.key, _ = strings.Cut(path, "/")
	}
	return t, checkKey(t.key)
}

// hostBucket is the bucket in the host's name, "" where there is none.
func (h *Handler) hostBucket(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	for _, domain := range h.config.Domains {
		if bucket, found := strings.CutSuffix(host, "."+domain); found {
			return bucket
		}
	}
	return ""
}

// checkKey refuses what S3 refuses of a key.
func checkKey(key string) error {
	if len(key) > maxKey {
		return newError("KeyTooLongError", "Size", strconv.Itoa(len(key)), "MaxSizeAllowed", strconv.Itoa(maxKey))
	}
	// Read from the left, a key must never have gone up more often than down.
	depth := 0
	for segment := range strings.SplitSeq(key, "/") {
		switch segment {
		case "..":
			depth--
		case "", ".":
		default:
			depth++
		}
		if depth < 0 {
			return newError("InvalidURI")
		}
	}
	return nil
}
