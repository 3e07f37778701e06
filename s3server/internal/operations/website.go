package s3server

import (
	"bytes"
	"cmp"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/internal/hostname"
	"github.com/omnibucket/storage/internal/urlpath"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/sign"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/website"
)

// locateWebsite reports whether the host of the request is that of a website. If so, it sets the
// target of the request.
func locateWebsite(r *request) bool {
	bucket, ok := r.server.hostWebsite(r.in.Host)
	if !ok {
		return false
	}
	r.target = target{bucket, strings.TrimPrefix(r.in.URL.Path, "/")}
	r.query = url.Values{}
	return true
}

// hostWebsite returns the bucket whose website has this host.
func (h *Handler) hostWebsite(host string) (bucket string, found bool) {
	host = hostname.Of(host)
	for _, domain := range h.config.WebsiteDomains {
		bucket, found = strings.CutSuffix(host, "."+strings.ToLower(domain))
		if found {
			return bucket, true
		}
	}
	return "", false
}

// websiteHandler sets the operation of a request to a website, and returns the operation's handler.
func websiteHandler(r *request) handler {
	if r.in.Method == http.MethodOptions {
		r.operation = "Preflight"
		return preflight
	}
	r.operation = "GetWebsiteDocument" // a name of this server: AWS has no API for it
	return serveWebsite
}

// serveWebsite handles a request to a website. The caller is always anonymous.
func serveWebsite(r *request) error {
	r.caller = caller{anonymous: true, seal: sign.Seal{Payload: sign.UnsignedPayload}}
	c, err := websiteOf(r)
	if err != nil {
		return writeHTML(r, asAPIError(err), nil)
	}
	key := r.target.key
	if target := c.RedirectAllRequestsTo; target != nil {
		return redirect(r, http.StatusMovedPermanently, target.Protocol, target.HostName, key)
	}
	if rule := c.Rule(key, 0); rule != nil {
		return follow(r, rule, key)
	}
	if key == "" || strings.HasSuffix(key, "/") {
		r.target.key += string(c.IndexDocument.Suffix)
	}
	if err = serveDocument(r); err == nil {
		return nil
	}
	failure := asAPIError(err)
	if failure.Status < http.StatusBadRequest {
		return failure // not modified
	}
	if folder := key + "/"; r.target.key == key && readableDocument(r, folder+string(c.IndexDocument.Suffix)) {
		r.w.Header().Set("Location", encodePath(folder))
		return r.done(http.StatusFound)
	}
	if rule := c.Rule(key, failure.Status); rule != nil {
		return follow(r, rule, key)
	}
	if c.ErrorDocument == nil {
		return writeHTML(r, failure, nil)
	}
	if err := serveErrorDocument(r, string(c.ErrorDocument.Key), failure.Status); err != nil {
		return writeHTML(r, failure, asAPIError(err))
	}
	return nil
}

// websiteOf returns the website configuration of the bucket. It fails if the bucket is no website,
// or if the method is neither GET nor HEAD.
func websiteOf(r *request) (*website.Configuration, error) {
	b, err := r.bucket()
	if err != nil {
		return nil, err
	}
	if b.Website == nil {
		return nil, s3error.New("NoSuchWebsiteConfiguration", "BucketName", b.Name)
	}
	if b.Payer == payerRequester {
		return nil, s3error.New("AccessDenied") // an anonymous caller cannot pay
	}
	if r.in.Method != http.MethodGet && r.in.Method != http.MethodHead {
		return nil, s3error.New("MethodNotAllowed", "Method", r.in.Method, "ResourceType", "OBJECT")
	}
	return b.Website, nil
}

func follow(r *request, rule *website.RoutingRule, key string) error {
	code, _ := strconv.Atoi(cmp.Or(rule.Redirect.HTTPRedirectCode, "301")) // Check has verified the code
	return redirect(r, code, rule.Redirect.Protocol, rule.Redirect.HostName, rule.Target(key))
}

// redirect responds with a redirect to a key. If protocol or host is "", it is that of the request.
func redirect(r *request, code int, protocol, host, key string) error {
	r.w.Header().Set("Location", cmp.Or(protocol, scheme(r))+"://"+cmp.Or(host, r.in.Host)+encodePath(key))
	return r.done(code)
}

// encodePath encodes a key as the path of a URL.
func encodePath(key string) string { return "/" + urlpath.Escape(key) }

// mayRead fails unless the caller has the permission to read the request's object.
func mayRead(r *request) error {
	operation := r.operation
	r.operation = "GetObject"
	defer func() {
		r.operation = operation
	}()
	return r.authorize()
}

// readableDocument reports whether an object exists and the caller may read it.
func readableDocument(r *request, key string) bool {
	was := r.target.key
	r.target.key = key
	defer func() {
		r.target.key = was
	}()
	if mayRead(r) != nil {
		return false
	}
	v, _, err := r.find(state.VersionName{Bucket: r.target.bucket, Key: key})
	r.server.store.Release(v)
	return err == nil
}

// serveDocument serves the request's object, as GetObject does. If the object has a redirect, it
// responds with that.
func serveDocument(r *request) error {
	if err := mayRead(r); err != nil {
		return err
	}
	if v, _, _ := r.looked.at(r, state.VersionName{Bucket: r.target.bucket, Key: r.target.key}); v != nil {
		if location := v.Object.Properties.Header.Get(state.Redirection); location != "" {
			r.w.Header().Set("Location", location)
			return r.done(http.StatusMovedPermanently)
		}
	}
	return getObject(r)
}

// serveErrorDocument serves the website's error document, with the status of the error.
func serveErrorDocument(r *request, key string, status int) error {
	r.target.key = key
	if err := mayRead(r); err != nil {
		return err
	}
	v, err := findVersion(r)
	if err != nil {
		return err
	}
	defer r.server.store.Release(v)
	if r.server.archived(v) || v.Object.Encryption.CustomerMD5 != "" {
		return s3error.New("AccessDenied")
	}
	if err := describe(r, v); err != nil {
		return err
	}
	if r.in.Method == http.MethodGet {
		if err := r.server.store.Prepare(r.in.Context(), v, 0, v.Object.Size); err != nil {
			return err
		}
	}
	r.w.Header().Set("Content-Length", strconv.FormatInt(v.Object.Size, 10))
	r.w.WriteHeader(status)
	if r.in.Method == http.MethodGet {
		_ = r.server.store.Read(r.in.Context(), v, 0, v.Object.Size, r.w) // the status has already been sent
	}
	return nil
}

// writeHTML responds with an error as an HTML page. If the website's error document could not be
// served, second is the error of that document. Otherwise it is nil.
func writeHTML(r *request, e, second *s3error.Error) error {
	title := fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
	var b bytes.Buffer
	item := func(name, value string) {
		fmt.Fprintf(&b, "<li>%s: %s</li>\n", name, html.EscapeString(value))
	}
	list := func(e *s3error.Error) {
		b.WriteString("<ul>\n")
		item("Code", e.Code)
		item("Message", e.Message)
		for i := 0; i+1 < len(e.Fields); i += 2 {
			item(e.Fields[i], e.Fields[i+1])
		}
	}
	fmt.Fprintf(&b, "<html>\n<head><title>%s</title></head>\n<body>\n<h1>%s</h1>\n", title, title)
	list(e)
	item("RequestId", r.id)
	item("HostId", hostID)
	b.WriteString("</ul>\n")
	if second != nil {
		b.WriteString("<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n")
		list(second)
		b.WriteString("</ul>\n")
	}
	b.WriteString("<hr/>\n</body>\n</html>\n")
	r.failure = e
	header := r.w.Header()
	header.Set("X-Amz-Error-Code", e.Code)
	header.Set("X-Amz-Error-Message", e.Message)
	header.Set("Content-Type", "text/html; charset=utf-8")
	r.w.WriteHeader(e.Status)
	if r.in.Method != http.MethodHead {
		_, _ = r.w.Write(b.Bytes())
	}
	return nil
}
