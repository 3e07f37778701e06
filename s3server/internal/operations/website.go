package operations

import (
	"bytes"
	"cmp"
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/s3server/internal/access"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/sign"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/storageerror"
	"github.com/omnibucket/storage/s3server/internal/website"
)

// websiteHandler sets r.Operation for a request to the website of a bucket, and returns the request's handler.
func websiteHandler(r *request.Request) handler {
	if r.HTTP.Method == http.MethodOptions {
		r.Operation = "Preflight"
		return preflight
	}
	// AWS has no API for this, so the name is the server's own.
	r.Operation = "GetWebsiteDocument"
	return serveWebsite
}

// serveWebsite responds to a request to a website, whose caller is always anonymous.
func serveWebsite(r *request.Request) error {
	r.Caller = request.Caller{Anonymous: true, Seal: sign.Seal{Payload: sign.UnsignedPayload}}
	c, err := websiteOf(r)
	if err != nil {
		return writeHTML(r, storageerror.Response(err), nil)
	}

	// Redirections come before the documents.
	key := r.Target.Key
	if target := c.RedirectAllRequestsTo; target != nil {
		return redirect(r, http.StatusMovedPermanently, target.Protocol, target.HostName, key)
	}
	const noError = 0
	if rule := c.Rule(key, noError); rule != nil {
		return followRule(r, rule, key)
	}

	namesFolder := key == "" || strings.HasSuffix(key, "/")
	if namesFolder {
		r.Target.Key += string(c.IndexDocument.Suffix)
	}
	err = serveDocument(r)
	if err == nil {
		return nil
	}
	failure := storageerror.Response(err)
	if failure.Status < http.StatusBadRequest {
		// The status is 304.
		return failure
	}

	// The key of a document that is missing may be that of a folder, without the slash.
	folder := key + "/"
	indexDocument := folder + string(c.IndexDocument.Suffix)
	if !namesFolder && isReadable(r, indexDocument) {
		r.Writer.Header().Set("Location", encodePath(folder))
		return r.Done(http.StatusFound)
	}
	return serveFailure(r, c, key, failure)
}

// serveFailure responds to a request for a document after a failure. It follows the rule for the status of the
// failure, or else sends the error document. Without either, it sends a page of its own.
func serveFailure(r *request.Request, c *website.Configuration, key string, failure *s3error.Error) error {
	if rule := c.Rule(key, failure.Status); rule != nil {
		return followRule(r, rule, key)
	}
	if c.ErrorDocument == nil {
		return writeHTML(r, failure, nil)
	}
	if err := serveErrorDocument(r, string(c.ErrorDocument.Key), failure.Status); err != nil {
		return writeHTML(r, failure, storageerror.Response(err))
	}
	return nil
}

// websiteOf returns the website configuration of the bucket. It fails if the bucket has none, if an anonymous
// caller cannot use it, or if the method is neither GET nor HEAD.
func websiteOf(r *request.Request) (*website.Configuration, error) {
	b, err := r.Bucket()
	if err != nil {
		return nil, err
	}
	if b.Website == nil {
		return nil, s3error.New("NoSuchWebsiteConfiguration", "BucketName", b.Name)
	}
	if b.Payer == access.PayerRequester {
		return nil, s3error.New("AccessDenied") // an anonymous caller cannot pay
	}
	if r.HTTP.Method != http.MethodGet && r.HTTP.Method != http.MethodHead {
		return nil, s3error.New("MethodNotAllowed", "Method", r.HTTP.Method, "ResourceType", "OBJECT")
	}
	return b.Website, nil
}

func followRule(r *request.Request, rule *website.RoutingRule, key string) error {
	code, _ := strconv.Atoi(cmp.Or(rule.Redirect.HTTPRedirectCode, "301")) // Check has verified the code
	return redirect(r, code, rule.Redirect.Protocol, rule.Redirect.HostName, rule.Target(key))
}

// redirect responds with a redirect to a key. If protocol or host is "", redirect takes it from the
// request.
func redirect(r *request.Request, code int, protocol, host, key string) error {
	r.Writer.Header().Set("Location", cmp.Or(protocol, request.Scheme(r))+"://"+cmp.Or(host, r.HTTP.Host)+encodePath(key))
	return r.Done(code)
}

// encodePath encodes a key as the path of a URL.
func encodePath(key string) string { return "/" + escape.Path(key) }

// authorizeRead fails unless the caller may read the request's object.
func authorizeRead(r *request.Request) error {
	// Authorize finds the action by the operation, so set it to GetObject during the call.
	operation := r.Operation
	r.Operation = "GetObject"
	defer func() {
		r.Operation = operation
	}()
	return access.Authorize(r)
}

// isReadable reports whether an object with this key exists and the caller may read it.
func isReadable(r *request.Request, key string) bool {
	// The permission is checked for the target of the request, so set that to the key during the check.
	requestedKey := r.Target.Key
	r.Target.Key = key
	defer func() {
		r.Target.Key = requestedKey
	}()

	if authorizeRead(r) != nil {
		return false
	}
	v, _, err := r.Find(state.VersionName{Bucket: r.Target.Bucket, Key: key})
	r.Server.Store.Release(v)
	return err == nil
}

// serveDocument responds with the request's object as GetObject does. If the object has a redirection,
// serveDocument redirects the client instead.
func serveDocument(r *request.Request) error {
	if err := authorizeRead(r); err != nil {
		return err
	}

	// If the lookup fails, getObject reports its error, because the request keeps the result.
	v, _, _ := r.LookupVersion(state.VersionName{Bucket: r.Target.Bucket, Key: r.Target.Key})
	if v == nil {
		return getObject(r)
	}
	location := v.Object.Properties.Header.Get(state.Redirection)
	if location == "" {
		return getObject(r)
	}
	r.Writer.Header().Set("Location", location)
	return r.Done(http.StatusMovedPermanently)
}

// serveErrorDocument responds with the website's error document and the status of the error.
func serveErrorDocument(r *request.Request, key string, status int) error {
	r.Target.Key = key
	if err := authorizeRead(r); err != nil {
		return err
	}
	v, err := findVersion(r)
	if err != nil {
		return err
	}
	defer r.Server.Store.Release(v)

	// The server cannot show an archived object, or one whose key only the customer has.
	if r.Server.IsArchived(v) || v.Object.Encryption.CustomerMD5 != "" {
		return s3error.New("AccessDenied")
	}
	if err := setObjectHeaders(r, v); err != nil {
		return err
	}
	if r.HTTP.Method == http.MethodGet {
		if err := r.Server.Store.Prepare(r.HTTP.Context(), v, 0, v.Object.Size); err != nil {
			return err
		}
	}

	// From here, only the body can fail.
	r.Writer.Header().Set("Content-Length", strconv.FormatInt(v.Object.Size, 10))
	r.Writer.WriteHeader(status)
	if r.HTTP.Method == http.MethodGet {
		// The status has already been sent, so an error cannot be reported.
		_ = r.Server.Store.Read(r.HTTP.Context(), v, 0, v.Object.Size, r.Writer)
	}
	return nil
}

// writeHTML responds with an error as an HTML page. documentErr says why the website's error document
// could not be served, and may be nil.
func writeHTML(r *request.Request, err, documentErr *s3error.Error) error {
	page := errorPage(r, err, documentErr)

	// Tell the log the error that the page shows.
	r.Failure = err
	header := r.Writer.Header()
	header.Set("X-Amz-Error-Code", err.Code)
	header.Set("X-Amz-Error-Message", err.Message)
	header.Set("Content-Type", "text/html; charset=utf-8")
	r.Writer.WriteHeader(err.Status)
	if r.HTTP.Method != http.MethodHead {
		_, _ = r.Writer.Write(page)
	}
	return nil
}

// errorPage returns the HTML page of an error and, unless it is nil, of documentErr.
func errorPage(r *request.Request, err, documentErr *s3error.Error) []byte {
	title := fmt.Sprintf("%d %s", err.Status, http.StatusText(err.Status))
	var b bytes.Buffer
	fmt.Fprintf(&b, "<html>\n<head><title>%s</title></head>\n<body>\n<h1>%s</h1>\n", title, title)
	b.WriteString("<ul>\n")
	writeItems(&b, err)
	writeItem(&b, "RequestId", r.ID)
	writeItem(&b, "HostId", s3error.HostID)
	b.WriteString("</ul>\n")
	if documentErr != nil {
		b.WriteString("<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n")
		b.WriteString("<ul>\n")
		writeItems(&b, documentErr)
		b.WriteString("</ul>\n")
	}
	b.WriteString("<hr/>\n</body>\n</html>\n")
	return b.Bytes()
}

// writeItems writes the items of a list that describe an error.
func writeItems(b *bytes.Buffer, err *s3error.Error) {
	writeItem(b, "Code", err.Code)
	writeItem(b, "Message", err.Message)
	// Fields has names and values, alternating.
	for i := 0; i+1 < len(err.Fields); i += 2 {
		writeItem(b, err.Fields[i], err.Fields[i+1])
	}
}

// writeItem writes one item of an HTML list.
func writeItem(b *bytes.Buffer, name, value string) {
	fmt.Fprintf(b, "<li>%s: %s</li>\n", name, html.EscapeString(value))
}
