package s3

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/providers/s3/internal/rawclient"
)

// noEvidence returns the error for a response without evidence.
func noEvidence() error {
	return sdkerror.NoEvidence("an S3 server", "it has nothing that one sends")
}

// hasEvidence reports whether the header of a response shows that an S3 server made it. All S3
// servers send an ETag with an object. Amazon, MinIO, Ceph, B2, SeaweedFS and versitygw also send
// x-amz-request-id, and Google sends headers of its own.
func hasEvidence(response *http.Response) bool {
	h := response.Header
	return h.Get(rawclient.ETagHeader) != "" || hasOwnHeader(h)
}

// hasOwnHeader reports whether a response has a header that only S3 servers send. An ETag does not
// count, because nginx sends one with its error pages.
func hasOwnHeader(h http.Header) bool {
	if kindOf(h) != nil {
		return true
	}
	for name := range h {
		for _, prefix := range [...]string{"X-Amz-", "X-Rgw-", "X-Goog-", "X-Guploader-"} {
			if strings.HasPrefix(name, prefix) && !strings.HasPrefix(name, "X-Amz-Cf-") &&
				name != "X-Amz-Apigw-Id" {
				// CloudFront and API Gateway send the excluded headers, even with error pages of
				// their own.
				return true
			}
		}
	}
	return false
}

// responseRules has the rules for a successful response to one operation. If a response breaks a rule,
// it may not come from an S3 server.
type responseRules struct {
	// If tag is true, the response must have an ETag. A header of the S3 protocol also suffices,
	// unless the Content-Type is that of a web page.
	tag bool
	// text is a string that the document must have near its beginning. "" means that the response
	// has no document.
	text string
	// allowsEmpty is true if the operation reads a setting that may not exist. If the setting does not
	// exist, some servers send no document, or a document without the text. Such a response needs a
	// header of the S3 protocol, and must not be a web page.
	allowsEmpty bool
	// bare is true if an S3 server may send a response to this operation without any header of the
	// S3 protocol. Garage and R2 do so. The response is then accepted unless it is a web page.
	bare bool
}

// evidenceOf lists the operations for which the SDK accepts any response with status 200, whatever
// it contains.
var evidenceOf = map[string]responseRules{
	"GetObject":          {tag: true},
	"HeadObject":         {tag: true},
	"DeleteObject":       {},
	"PutObjectTagging":   {},
	"PutObjectRetention": {},
	"PutObjectLegalHold": {},
	"RestoreObject":      {},

	"ListBuckets":                     {text: "ListAllMyBucketsResult"},
	"ListMultipartUploads":            {text: "ListMultipartUploadsResult"},
	"ListParts":                       {text: "ListPartsResult"},
	"GetObjectTagging":                {text: "Tagging"},
	"GetObjectRetention":              {text: "Retention", allowsEmpty: true},
	"GetObjectLegalHold":              {text: "LegalHold", allowsEmpty: true},
	"GetBucketVersioning":             {text: "VersioningConfiguration", allowsEmpty: true},
	"GetBucketCors":                   {text: "CORSConfiguration", allowsEmpty: true},
	"GetBucketLifecycleConfiguration": {text: "LifecycleConfiguration", allowsEmpty: true},
	"GetBucketAcl":                    {text: "AccessControlPolicy", allowsEmpty: true},
	"GetObjectLockConfiguration":      {text: "ObjectLockConfiguration", allowsEmpty: true},
	"GetPublicAccessBlock":            {text: "PublicAccessBlockConfiguration", allowsEmpty: true},
	"GetBucketPolicy":                 {text: `"Statement"`, allowsEmpty: true},

	"HeadBucket":                      {bare: true},
	"CreateBucket":                    {bare: true},
	"DeleteBucket":                    {bare: true},
	"PutBucketVersioning":             {bare: true},
	"PutBucketAcl":                    {bare: true},
	"PutBucketCors":                   {bare: true},
	"DeleteBucketCors":                {bare: true},
	"PutBucketLifecycleConfiguration": {bare: true},
	"DeleteBucketLifecycle":           {bare: true},
	"PutBucketPolicy":                 {bare: true},
	"DeleteBucketPolicy":              {bare: true},
	"PutPublicAccessBlock":            {bare: true},
	"PutObjectLockConfiguration":      {bare: true},
}

// checkEvidence returns an error for a successful response without evidence of an S3 server.
// sendsHeader is true if the server is known to send a header of the S3 protocol with every response.
func checkEvidence(operation string, response *http.Response, sendsHeader bool) error {
	want, ok := evidenceOf[operation]
	if ok && response.StatusCode/100 == 2 && !want.isMetBy(response, sendsHeader) {
		return noEvidence()
	}
	return nil
}

// checkObject is checkEvidence for a response that carries an object, its attributes or the result of a
// write of one.
func checkObject(response *http.Response) error {
	isRead := response.Request.Method != http.MethodPut
	if want := (responseRules{tag: true}); isRead && want.isMetBy(response, false) || !isRead && hasEvidence(response) {
		return nil
	}
	return noEvidence()
}

// peeked is how many bytes isMetBy reads from the beginning of a document. Other text may precede the
// expected text. For example, a policy may have an id before its statements.
const peeked = 4 << 10

// isMetBy reports whether the response has the evidence of an S3 server. It leaves the body at its
// start, so that the body can still be read.
func (e *responseRules) isMetBy(response *http.Response, always bool) bool {
	hasMarker := hasEvidence(response)
	switch {
	case e.tag:
		return isObject(response) &&
			(response.Header.Get(rawclient.ETagHeader) != "" || hasMarker && !hasTypeOfPage(response))
	case e.text != "":
		return bytes.Contains(peek(response), []byte(e.text)) && (hasMarker || !always) || hasMarker && e.allowsEmpty && !isPage(response)
	case hasMarker:
		return !isPage(response)
	case always:
		return false
	case response.StatusCode == http.StatusNoContent: // a login page would not have status 204
		return true
	}
	return e.bare && !isWebPage(response)
}

// isObject reports whether a response without an ETag may be an object. It is none if it is the
// document of an error. A part of an object must say which part it is.
func isObject(response *http.Response) bool {
	if response.StatusCode == http.StatusPartialContent && response.Header.Get("Content-Range") == "" {
		return false
	}
	if response.Header.Get(rawclient.ETagHeader) != "" {
		return true
	}
	document := bytes.TrimSpace(peek(response))
	return !bytes.HasPrefix(document, []byte("<Error>")) &&
		!(bytes.HasPrefix(document, []byte("<?xml")) && bytes.Contains(document, []byte("<Error>")))
}

// isPage reports whether the body of a response is a web page or other text. An empty body and an
// XML document are neither of these.
func isPage(response *http.Response) bool {
	if response.Request != nil && response.Request.Method == http.MethodHead { // there is no body, only a length
		return response.ContentLength > 0 &&
			!strings.Contains(strings.ToLower(response.Header.Get("Content-Type")), "xml")
	}
	document := bytes.ToLower(bytes.TrimSpace(peek(response)))
	return len(document) > 0 && document[0] != '<' || bytes.HasPrefix(document, []byte("<!doctype")) ||
		bytes.HasPrefix(document, []byte("<html"))
}

// isWebPage is like isPage, for a response without a header of the S3 protocol. It also reports an
// empty body whose Content-Type is that of a page.
func isWebPage(response *http.Response) bool {
	return hasTypeOfPage(response) || isPage(response)
}

func hasTypeOfPage(response *http.Response) bool {
	contentType := strings.ToLower(response.Header.Get("Content-Type"))
	return strings.Contains(contentType, "html") || strings.Contains(contentType, "json")
}

func peek(response *http.Response) []byte {
	buffered := bufio.NewReaderSize(response.Body, peeked)
	start, _ := buffered.Peek(peeked) // ignored: the SDK will get the error when it reads the rest
	response.Body = struct {
		io.Reader
		io.Closer
	}{buffered, response.Body}
	return start
}

// A serverKind is the kind of server that sends the responses, if they show it. Hints, listings and
// package s3probe use the kind. But a bucket never declares a feature because of the kind: the
// version of the server is unknown, and other servers may imitate a header.
type serverKind struct{ detected atomic.Pointer[kindOfServer] }

// A kindOfServer is a kind of server that is recognized by a header of its responses, in most cases
// the header Server.
type kindOfServer struct {
	header  string // beginning of the Server header; upper and lower case are equal
	name    string // for people
	profile string
}

var (
	ceph = &kindOfServer{"Ceph Object Gateway", "Ceph", "ceph"}

	// kindsOfServers lists the servers that name themselves in the header Server. Tests have shown
	// this header for MinIO, versitygw and our own server. By their source code, Ceph since Reef
	// (ceph/ceph pull request 50510) and most releases of SeaweedFS also name themselves there.
	// By its documents of August 2026, silo names itself, too. Garage is not known to name itself. "AmazonS3" is missing, because emulators send it too.
	kindsOfServers = []*kindOfServer{
		{"MinIO", "MinIO", "minio"},
		{"Silo", "silo, which keeps MinIO's protocol", "minio"},
		{"VERSITYGW", "versitygw", "versitygw"},
		{"SeaweedFS", "SeaweedFS", "seaweedfs"},
		{"Garage", "Garage", "garage"},
		{"AmazonS3 (omnibucket)", "omnibucket's own server", "omnibucket"},
		ceph,
	}
)

func (k *serverKind) observe(h http.Header) {
	if k.detected.Load() != nil {
		return
	}
	if kind := kindOf(h); kind != nil {
		k.detected.Store(kind)
	}
}

// kindOf returns the kind of server whose response has this header, or nil.
func kindOf(h http.Header) *kindOfServer {
	server := h.Get("Server")
	for _, kind := range kindsOfServers {
		if n := len(kind.header); len(server) >= n && strings.EqualFold(server[:n], kind.header) {
			return kind
		}
	}
	if len(h["X-Rgw-Object-Type"]) > 0 { // only Ceph sends it, and a proxy passes it on
		return ceph
	}
	return nil
}

// profile returns the name of the profile that fits the kind of server, or "" if the responses do not
// show the kind.
func (k *serverKind) profile() string {
	if kind := k.detected.Load(); kind != nil {
		return kind.profile
	}
	return ""
}

// hint returns the hint for a feature that the profile "unknown" does not declare. If the responses
// have shown the kind of server, the hint names its profile.
func (k *serverKind) hint() string {
	if kind := k.detected.Load(); kind != nil {
		return "this endpoint answers as " + kind.name + ": open it with profile=" + kind.profile +
			" or s3.NamedProfile(\"" + kind.profile + "\") as Config.Profile, or test it with s3probe.Run"
	}
	return "name the server with profile= (minio, ceph, …) or s3.NamedProfile for Config.Profile, or test it with s3probe.Run"
}
