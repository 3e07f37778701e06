package s3server

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/omnibucket/storage/internal/hostname"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/sign"
)

// A target is the object or the bucket that a request's URL names. If both fields are "", it is the
// account.
type target struct{ bucket, key string }

func (t target) kind() string {
	if t.key != "" {
		return "OBJECT"
	}
	if t.bucket != "" {
		return "BUCKET"
	}
	return "SERVICE"
}

const maxKey = 1024 // bytes

// locate returns the target that the host and the path of a request name.
func (h *Handler) locate(r *http.Request) (target, error) {
	// Unlike RFC 3986, S3 decodes a plus sign in the path as a space. For a plus sign, clients must
	// send %2B.
	path, err := url.QueryUnescape(strings.TrimPrefix(r.URL.EscapedPath(), "/"))
	if err != nil {
		return target{}, s3error.New("InvalidURI")
	}
	t := target{bucket: h.hostBucket(r.Host), key: path}
	if t.bucket == "" {
		t.bucket, t.key, _ = strings.Cut(path, "/")
	}
	return t, checkKey(t.key)
}

// hostBucket returns the bucket that a host name has as its subdomain. It returns "" if the bucket
// is in the path.
func (h *Handler) hostBucket(host string) string {
	host = hostname.Of(host)
	longest, bucket := "", ""
	for _, domain := range h.config.Domains {
		domain = strings.ToLower(domain)
		if host == domain {
			return "" // the host is itself a domain in Domains, and not a bucket below another domain
		}
		if name, ok := strings.CutSuffix(host, "."+domain); ok && len(domain) > len(longest) {
			longest = domain
			bucket = name
		}
	}
	if bucket == "" && h.anyHost {
		return regionalBucket(host)
	}
	return bucket
}

// regionalBucket returns the bucket in a host name of AWS such as
// photos.s3.eu-west-1.amazonaws.com, for any region. It returns "" if there is none.
func regionalBucket(host string) string {
	rest, ok := strings.CutSuffix(host, ".amazonaws.com")
	dot := strings.LastIndex(rest, ".")
	if !ok || dot < 0 {
		return ""
	}
	rest = strings.TrimSuffix(rest[:dot], ".dualstack")
	bucket, ok := strings.CutSuffix(rest, ".s3")
	if !ok {
		return ""
	}
	return bucket
}

// location returns the URL of the request's object. The bucket is in the host name or in the path,
// as in the request.
func (r *request) location() string {
	path := "/" + sign.URIEncode(r.target.key)
	if r.server.hostBucket(r.in.Host) == "" {
		path = "/" + r.target.bucket + path
	}
	return scheme(r) + "://" + r.in.Host + path
}

func scheme(r *request) string {
	if r.in.TLS != nil {
		return "https"
	}
	return "http"
}

// checkKey fails if S3 would refuse the key.
func checkKey(key string) error {
	if !utf8.ValidString(key) { // a listing could not show such a key
		return s3error.New("InvalidURI")
	}
	if len(key) > maxKey {
		return s3error.New("KeyTooLongError", "Size", strconv.Itoa(len(key)), "MaxSizeAllowed", strconv.Itoa(maxKey))
	}
	// S3 refuses a key in which ".." would lead above the first segment.
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
			return s3error.New("InvalidURI")
		}
	}
	return nil
}
