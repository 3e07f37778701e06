package request

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/omnibucket/storage/internal/webserver"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/sign"
)

// A Target is the object or the bucket that a request's URL names. If both fields are "", it is the
// account.
type Target struct{ Bucket, Key string }

// Kind returns what the target is: "OBJECT", "BUCKET", or "SERVICE" for the account.
func (t Target) Kind() string {
	if t.Key != "" {
		return "OBJECT"
	}
	if t.Bucket != "" {
		return "BUCKET"
	}
	return "SERVICE"
}

const maxKey = 1024 // bytes

// Locate returns the bucket and the key that the host and the path of a request name. The bucket is the
// first segment of the path unless the host names it.
func (s *Server) Locate(r *http.Request) (Target, error) {
	// Unlike RFC 3986, S3 reads a plus sign in the path as a space.
	path, err := url.QueryUnescape(strings.TrimPrefix(r.URL.EscapedPath(), "/"))
	if err != nil {
		return Target{}, s3error.New("InvalidURI")
	}

	t := Target{Bucket: s.HostBucket(r.Host), Key: path}
	if t.Bucket == "" {
		t.Bucket, t.Key, _ = strings.Cut(path, "/")
	}
	return t, CheckKey(t.Key)
}

// HostBucket returns the bucket in the subdomain of a host name, or "" if the bucket is in the path.
func (s *Server) HostBucket(host string) string {
	host = webserver.HostName(host)

	// One domain may be below another one, so the longest counts.
	bucket := ""
	longestDomain := ""
	for _, domain := range s.Domains {
		domain = strings.ToLower(domain)
		if host == domain {
			// The host is itself a domain, not a bucket below another domain.
			return ""
		}
		if name, ok := strings.CutSuffix(host, "."+domain); ok && len(domain) > len(longestDomain) {
			longestDomain = domain
			bucket = name
		}
	}

	if bucket == "" && s.AnyHost {
		return regionalBucket(host)
	}
	return bucket
}

// regionalBucket returns the bucket in a host name of AWS for any region, such as
// photos.s3.eu-west-1.amazonaws.com, or "" if there is none.
func regionalBucket(host string) string {
	rest, ok := strings.CutSuffix(host, ".amazonaws.com")
	if !ok {
		return ""
	}

	// The rest ends with the region.
	dot := strings.LastIndex(rest, ".")
	if dot < 0 {
		return ""
	}
	rest = strings.TrimSuffix(rest[:dot], ".dualstack")
	bucket, ok := strings.CutSuffix(rest, ".s3")
	if !ok {
		return ""
	}
	return bucket
}

// Location returns the URL of the request's object, with the bucket in the host name or in the path as
// in the request.
func (r *Request) Location() string {
	path := "/" + sign.URIEncode(r.Target.Key)
	if r.Server.HostBucket(r.HTTP.Host) == "" {
		path = "/" + r.Target.Bucket + path
	}
	return Scheme(r) + "://" + r.HTTP.Host + path
}

// Scheme returns the scheme of the request's URL, http or https.
func Scheme(r *Request) string {
	if r.HTTP.TLS != nil {
		return "https"
	}
	return "http"
}

// CheckKey fails if S3 would refuse the key.
func CheckKey(key string) error {
	if !utf8.ValidString(key) {
		// A listing could not show such a key.
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

// LocateWebsite sets the target of a request to the website of a bucket. It returns false if the
// request's host is not that of a website.
func LocateWebsite(r *Request) bool {
	bucket, ok := r.Server.HostWebsite(r.HTTP.Host)
	if !ok {
		return false
	}
	r.Target = Target{Bucket: bucket, Key: strings.TrimPrefix(r.HTTP.URL.Path, "/")}
	r.Query = url.Values{}
	return true
}

// HostWebsite returns the bucket whose website has this host name, if there is one.
func (s *Server) HostWebsite(host string) (bucket string, found bool) {
	host = webserver.HostName(host)
	for _, domain := range s.WebsiteDomains {
		bucket, found = strings.CutSuffix(host, "."+strings.ToLower(domain))
		if found {
			return bucket, true
		}
	}
	return "", false
}

var bucketName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)

var address = regexp.MustCompile(`^\d+\.\d+\.\d+\.\d+$`)

// ValidBucketName reports whether a bucket can have this name. Like S3, it refuses names in the form of
// an IP address, and the reserved prefix "xn--" and suffix "-s3alias".
func ValidBucketName(name string) bool {
	if len(name) < 3 || len(name) > 63 {
		return false
	}
	if strings.HasPrefix(name, "xn--") || strings.HasSuffix(name, "-s3alias") {
		return false
	}
	return bucketName.MatchString(name) && !address.MatchString(name)
}
