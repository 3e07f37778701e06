// Package evidence decides whether an S3 server made a response. A login page, a proxy or another
// program may respond to any request with status 200. So a response to most operations counts as a
// success only if it contains evidence of an S3 server. Evidence is an ETag, the id of an upload, a
// result for each key, or the root element of a document. A header of the S3 protocol is also
// evidence, unless the body is a web page. A gateway may add such a header to a page.
//
// Start at [Check], which has the rules for each operation. A [Server] remembers which kind of server
// the responses show.
package evidence

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"

	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/providers/s3/internal/rawclient"
)

// Missing returns the error for a response without evidence.
func Missing() error {
	return sdkerror.NoEvidence("an S3 server", "it has nothing that one sends")
}

// isShown reports whether the header of a response shows that an S3 server made it. All S3
// servers send an ETag with an object. Amazon, MinIO, Ceph, B2, SeaweedFS and versitygw also send
// x-amz-request-id, and Google sends headers of its own.
func isShown(response *http.Response) bool {
	h := response.Header
	return h.Get(rawclient.ETagHeader) != "" || HasOwnHeader(h)
}

// HasOwnHeader reports whether a response has a header that only S3 servers send. An ETag is not
// enough, because nginx sends one even with its error pages.
func HasOwnHeader(h http.Header) bool {
	if kindOf(h) != nil {
		return true
	}
	for name := range h {
		if strings.HasPrefix(name, "X-Amz-Cf-") || name == "X-Amz-Apigw-Id" {
			// CloudFront and API Gateway send these, even with error pages of their own.
			continue
		}
		for _, prefix := range [...]string{"X-Amz-", "X-Rgw-", "X-Goog-", "X-Guploader-"} {
			if strings.HasPrefix(name, prefix) {
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
	// mayLackHeader is true if an S3 server may send a response to this operation without any header of the
	// S3 protocol. Garage and R2 do so. The response is then accepted unless it is a web page.
	mayLackHeader bool
}

// rulesOf lists the operations for which the SDK accepts any response with status 200, whatever
// it contains.
var rulesOf = map[string]responseRules{
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

	"HeadBucket":                      {mayLackHeader: true},
	"CreateBucket":                    {mayLackHeader: true},
	"DeleteBucket":                    {mayLackHeader: true},
	"PutBucketVersioning":             {mayLackHeader: true},
	"PutBucketAcl":                    {mayLackHeader: true},
	"PutBucketCors":                   {mayLackHeader: true},
	"DeleteBucketCors":                {mayLackHeader: true},
	"PutBucketLifecycleConfiguration": {mayLackHeader: true},
	"DeleteBucketLifecycle":           {mayLackHeader: true},
	"PutBucketPolicy":                 {mayLackHeader: true},
	"DeleteBucketPolicy":              {mayLackHeader: true},
	"PutPublicAccessBlock":            {mayLackHeader: true},
	"PutObjectLockConfiguration":      {mayLackHeader: true},
}

// Check returns an error if a successful response has no evidence of an S3 server. sendsHeader is
// true if the server is known to send a header of the S3 protocol with every response.
func Check(operation string, response *http.Response, sendsHeader bool) error {
	want, ok := rulesOf[operation]
	isSuccess := response.StatusCode/100 == 2
	if ok && isSuccess && !want.isMetBy(response, sendsHeader) {
		return Missing()
	}
	return nil
}

// CheckObject returns an error if a response has no evidence of an S3 server. The response must be that
// of a request that reads an object or its attributes, or writes an object.
func CheckObject(response *http.Response) error {
	if response.Request.Method == http.MethodPut {
		if !isShown(response) {
			return Missing()
		}
		return nil
	}
	// The response to a read must have an ETag.
	if !isTagged(response) {
		return Missing()
	}
	return nil
}

// peeked is how many bytes isMetBy reads from the beginning of a document. Other text may precede the
// expected text. For example, a policy may have an id before its statements.
const peeked = 4 << 10

// isMetBy reports whether the response has the evidence of an S3 server, and leaves its body at the
// start. sendsHeader is true if the server is known to send a header of the S3 protocol with every
// response.
func (r *responseRules) isMetBy(response *http.Response, sendsHeader bool) bool {
	// The rules say what shows the server: an ETag, a text of the document, or else a header.
	switch {
	case r.tag:
		return isTagged(response)
	case r.text != "":
		return r.isMetByDocument(response, sendsHeader)
	default:
		return r.isMetWithoutDocument(response, sendsHeader)
	}
}

// isTagged reports whether a response with an object has an ETag, or another header of the S3
// protocol and not the Content-Type of a web page.
func isTagged(response *http.Response) bool {
	if !isObject(response) {
		return false
	}
	if response.Header.Get(rawclient.ETagHeader) != "" {
		return true
	}
	return isShown(response) && !hasTypeOfPage(response)
}

// isMetByDocument reports whether the response has the evidence of an S3 server, if its document must
// contain r.text. sendsHeader is true if the server sends a header of the S3 protocol with every response.
func (r *responseRules) isMetByDocument(response *http.Response, sendsHeader bool) bool {
	hasHeader := isShown(response)
	hasText := bytes.Contains(peek(response), []byte(r.text))
	lacksHeader := sendsHeader && !hasHeader
	if hasText && !lacksHeader {
		return true
	}

	// The operation may have read a setting that does not exist.
	return hasHeader && r.allowsEmpty && !isPage(response)
}

// isMetWithoutDocument reports whether a response that need not have a document is that of an S3 server,
// and not the web page of another one. sendsHeader is true if the server sends a header of the S3
// protocol with every response.
func (r *responseRules) isMetWithoutDocument(response *http.Response, sendsHeader bool) bool {
	if isShown(response) {
		return !isPage(response)
	}
	if sendsHeader {
		return false
	}
	if response.StatusCode == http.StatusNoContent {
		// A login page would not have this status.
		return true
	}
	// After some operations, S3 servers may send a response without any header of the protocol.
	return r.mayLackHeader && !isWebPage(response)
}

// isObject reports whether a response may have an object as its body. A part of an object must say
// which part it is, and without an ETag, the body must not be the document of an error.
func isObject(response *http.Response) bool {
	if response.StatusCode == http.StatusPartialContent && response.Header.Get("Content-Range") == "" {
		return false
	}
	if response.Header.Get(rawclient.ETagHeader) != "" {
		return true
	}
	document := bytes.TrimSpace(peek(response))
	if bytes.HasPrefix(document, []byte("<?xml")) {
		return !bytes.Contains(document, []byte("<Error>"))
	}
	return !bytes.HasPrefix(document, []byte("<Error>"))
}

// isPage reports whether the body of a response is a web page or other text, and neither empty nor
// an XML document.
func isPage(response *http.Response) bool {
	if response.Request != nil && response.Request.Method == http.MethodHead {
		// There is no body, only a length and a type.
		isXML := strings.Contains(strings.ToLower(response.Header.Get("Content-Type")), "xml")
		return response.ContentLength > 0 && !isXML
	}
	document := bytes.ToLower(bytes.TrimSpace(peek(response)))
	if len(document) == 0 {
		return false
	}
	isHTML := bytes.HasPrefix(document, []byte("<!doctype")) || bytes.HasPrefix(document, []byte("<html"))
	return document[0] != '<' || isHTML
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

// peek returns the beginning of the body of a response, up to peeked bytes. The body can still be read
// from its start.
func peek(response *http.Response) []byte {
	buffered := bufio.NewReaderSize(response.Body, peeked)
	// The error is ignored, because the SDK gets it when it reads the rest.
	start, _ := buffered.Peek(peeked)

	response.Body = struct {
		io.Reader
		io.Closer
	}{buffered, response.Body}
	return start
}
