package recorded

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// A Kind says what a request is for.
type Kind string

// The kinds of requests. Other requests have a Kind with their method and the name of their
// resource.
const (
	Head         Kind = "attributes of an object"
	Get          Kind = "bytes of an object"
	GetRange     Kind = "a range of an object"
	Put          Kind = "a write"
	PutIf        Kind = "a conditional write"
	Copy         Kind = "a copy"
	CopyIf       Kind = "a conditional copy"
	Compose      Kind = "a compose"
	Delete       Kind = "a removal"
	DeleteIf     Kind = "a conditional removal"
	Patch        Kind = "a change of an object"
	List         Kind = "a listing"
	ListVersions Kind = "a listing of versions"
	BucketInfo   Kind = "attributes of a bucket"
	CreateBucket Kind = "the creation of a bucket"
	UpdateBucket Kind = "a change of a bucket"
	DeleteBucket Kind = "the removal of a bucket"
	GetPolicy    Kind = "the policy of a bucket"
	SetPolicy    Kind = "a change of a bucket's policy"
	ListBuckets  Kind = "a listing of buckets"

	// uploadPart is one of several requests that make one object.
	uploadPart Kind = "a part of an upload"
	// openUploads is a listing that looks for open uploads.
	openUploads Kind = "a listing of open uploads"
	// oldList is a listing of S3 with the first version of the API.
	oldList Kind = "a listing with markers"
	// xmlWrite is a write or removal with a signed URL of Google.
	xmlWrite Kind = "a write with a signed URL"
)

// classify sets the kind of the request, its bucket, its key and the source of a copy.
func (x *Exchange) classify() {
	r := &x.Request
	x.Kind, x.Bucket, x.Key = kindOf(x.Provider, r.Method, r.URL, r.Header)
	switch x.Provider {
	case Amazon:
		_, x.CopySource, _ = strings.Cut(unescape(r.Header.Get("X-Amz-Copy-Source")), "/")
	case Azure:
		source, err := url.Parse(r.Header.Get("X-Ms-Copy-Source"))
		if err != nil {
			// The source stays empty.
			return
		}
		_, x.CopySource, _ = strings.Cut(unescape(strings.TrimPrefix(source.EscapedPath(), "/")), "/")
	case Google:
		x.classifyGoogle()
	}
}

// classifyGoogle sets the key of an upload from the body, and the source and the key of a copy from
// the path.
func (x *Exchange) classifyGoogle() {
	r := &x.Request
	isWrite := x.Kind == Put || x.Kind == PutIf
	if isWrite && x.Key == "" && len(r.Parts) > 0 {
		// If the body is not such a resource, the key stays empty.
		var object struct{ Name string }
		_ = json.Unmarshal(r.Parts[0], &object)
		x.Key = object.Name
	}

	// The path of a copy has 12 segments: /storage/v1/b/BUCKET/o/SOURCE/rewriteTo/b/BUCKET/o/KEY.
	segments := strings.Split(r.URL.EscapedPath(), "/")
	isCopy := len(segments) == 12 && segments[7] == "rewriteTo"
	if isCopy {
		x.CopySource = x.Key
		x.Bucket = segments[9]
		x.Key = unescape(segments[11])
	}
}

// kindOf returns the kind of a request, its bucket and its key.
func kindOf(p Provider, method string, address *url.URL, header http.Header) (kind Kind, bucket, key string) {
	switch p {
	case Amazon:
		return kindOfAmazon(method, address, header)
	case Google:
		return kindOfGoogle(method, address, header)
	}
	return kindOfAzure(method, address, header)
}

// kindOfAmazon is kindOf for a request to Amazon, which has the bucket in its host.
func kindOfAmazon(method string, address *url.URL, header http.Header) (kind Kind, bucket, key string) {
	bucket, _, _ = strings.Cut(address.Host, ".")
	key = unescape(strings.TrimPrefix(address.EscapedPath(), "/"))

	query := address.Query()
	if key == "" {
		return kindOfAmazonBucket(method, query), bucket, ""
	}
	isUpload := query.Has("uploadId") || query.Has("uploads")
	if isUpload {
		return uploadPart, bucket, key
	}

	kind = kindOfObject(method, header.Get("Range"), header.Get("X-Amz-Copy-Source"), header.Get("If-None-Match"))
	if kind == "" {
		kind = Kind(method + " object")
	}
	return kind, bucket, key
}

// kindOfAmazonBucket returns the kind of a request about a bucket of Amazon.
func kindOfAmazonBucket(method string, query url.Values) Kind {
	switch {
	case query.Get("list-type") == "2":
		return List
	case query.Has("versions"):
		return "GET versions"
	case method == http.MethodGet && query.Has("max-keys"):
		return oldList
	default:
		return Kind(method + " bucket")
	}
}

// kindOfObject returns the kind of a request about an object by its method and three headers, which
// are "" if the request lacks them. For any other method, it returns "". A write with If-None-Match has a
// kind of its own, and one with If-Match does not.
func kindOfObject(method, byteRange, copySource, ifNoneMatch string) Kind {
	isCopy := copySource != ""
	switch {
	case method == http.MethodHead:
		return Head
	case method == http.MethodGet:
		return conditional(Get, GetRange, byteRange)
	case method == http.MethodPut && isCopy:
		return conditional(Copy, CopyIf, ifNoneMatch)
	case method == http.MethodPut:
		return conditional(Put, PutIf, ifNoneMatch)
	case method == http.MethodDelete:
		return Delete
	default:
		return ""
	}
}

// kindOfAzure is kindOf for a request to Azure, which has the bucket and the key in its path.
func kindOfAzure(method string, address *url.URL, header http.Header) (kind Kind, bucket, key string) {
	bucket, key, _ = strings.Cut(strings.TrimPrefix(address.EscapedPath(), "/"), "/")
	key = unescape(key)

	query := address.Query()
	operation := query.Get("comp")
	isListing := operation == "list" && query.Get("restype") == "container"
	if key == "" && isListing {
		return List, bucket, key
	}
	isUpload := operation == "block" || operation == "blocklist"
	if key != "" && isUpload {
		return uploadPart, bucket, key
	}
	if key == "" || query.Has("comp") {
		// Without an operation, the kind ends in "container".
		return Kind(method + " " + strings.TrimSpace("container "+operation)), bucket, key
	}

	byteRange := cmp.Or(header.Get("X-Ms-Range"), header.Get("Range"))
	kind = kindOfObject(method, byteRange, header.Get("X-Ms-Copy-Source"), header.Get("If-None-Match"))
	if kind == "" {
		kind = Kind(method + " blob")
	}
	return kind, bucket, key
}

// kindOfGoogle returns the kind of a request to Google, its bucket and its key.
func kindOfGoogle(method string, address *url.URL, header http.Header) (kind Kind, bucket, key string) {
	path := address.EscapedPath()
	query := address.Query()
	if rest, isUpload := strings.CutPrefix(path, "/upload/storage/v1/b/"); isUpload {
		bucket, _, _ = strings.Cut(rest, "/")
		if query.Get("uploadType") == "resumable" {
			return uploadPart, bucket, query.Get("name")
		}
		return conditional(Put, PutIf, query.Get("ifGenerationMatch")), bucket, query.Get("name")
	}

	rest, isJSON := strings.CutPrefix(path, "/storage/v1/b")
	if !isJSON {
		return kindOfGoogleXML(method, path, header)
	}
	return kindOfGoogleJSON(method, rest, query)
}

// kindOfGoogleJSON is kindOfGoogle for a request to the JSON API for buckets. rest is the path after "b",
// such as "/BUCKET/o/KEY/compose".
func kindOfGoogleJSON(method, rest string, query url.Values) (kind Kind, bucket, key string) {
	// pattern is the path without the names in it, and without the target of a rewriteTo.
	pattern := "b"
	segments := strings.Split(strings.TrimPrefix(rest, "/"), "/")
	bucket = unescape(segments[0])
	if bucket != "" {
		pattern += "/BUCKET"
	}
	collection, action := "", ""
	if len(segments) > 1 {
		collection = segments[1]
		pattern += "/" + collection
	}
	if len(segments) > 2 {
		key = unescape(segments[2])
		pattern += "/KEY"
	}
	if len(segments) > 3 {
		action = segments[3]
		pattern += "/" + action
	}

	kinds := map[string]Kind{
		"GET b":                         ListBuckets,
		"POST b":                        CreateBucket,
		"GET b/BUCKET":                  BucketInfo,
		"PATCH b/BUCKET":                UpdateBucket,
		"DELETE b/BUCKET":               DeleteBucket,
		"GET b/BUCKET/iam":              GetPolicy,
		"PUT b/BUCKET/iam":              SetPolicy,
		"GET b/BUCKET/o":                List,
		"GET b/BUCKET/o/KEY":            Head,
		"PATCH b/BUCKET/o/KEY":          Patch,
		"DELETE b/BUCKET/o/KEY":         Delete,
		"POST b/BUCKET/o/KEY/compose":   Compose,
		"POST b/BUCKET/o/KEY/rewriteTo": Copy,
	}
	kind = kinds[method+" "+pattern]

	// The parameters tell some kinds apart.
	switch kind {
	case List:
		// A listing of objects asks for more fields than a listing of open uploads.
		ofUploads := query.Has("fields") && !strings.Contains(query.Get("fields"), "md5Hash")
		if ofUploads {
			kind = openUploads
		} else if query.Get("versions") == "true" {
			kind = ListVersions
		}
	case Copy:
		kind = conditional(Copy, CopyIf, query.Get("ifGenerationMatch"))
	case Delete:
		kind = conditional(Delete, DeleteIf, query.Get("ifMetagenerationMatch")+query.Get("ifMetagenerationNotMatch"))
	case Head:
		if query.Get("alt") == "media" {
			kind = Get
		}
	case "":
		kind = Kind(method + " " + cmp.Or(action, collection, "bucket"))
	}
	return kind, bucket, key
}

// kindOfGoogleXML is kindOfGoogle for a path outside the JSON API for buckets. Such a path is that of an
// object in the XML API, "/bucket/key", or that of another resource, such as a project.
func kindOfGoogleXML(method, path string, header http.Header) (kind Kind, bucket, key string) {
	bucket, key, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	key = unescape(key)
	isJSON := strings.HasPrefix(path, "/storage/")
	switch {
	case method == http.MethodGet && header.Get("Range") != "":
		// Only a request for an object has a range, even below the path of the JSON API.
		return GetRange, bucket, key
	case method == http.MethodGet && !isJSON:
		return Get, bucket, key
	case method == http.MethodHead:
		return Kind("HEAD object"), bucket, key
	case method == http.MethodPut || method == http.MethodDelete:
		return xmlWrite, bucket, key
	}

	// A page shows the kind, and must not show the project of the account.
	if rest, isProject := strings.CutPrefix(path, "/storage/v1/projects/"); isProject {
		_, resource, _ := strings.Cut(rest, "/")
		return Kind(method + " " + resource), bucket, key
	}
	return Kind(method + " " + path), bucket, key
}

// conditional returns whenSet if a condition is set, and otherwise base. A condition is the value of a
// header or parameter, and "" if the request lacks it.
func conditional(base, whenSet Kind, condition string) Kind {
	if condition == "" {
		return base
	}
	return whenSet
}

// unescape returns a path without its escapes, or a malformed path as it is.
func unescape(path string) string {
	text, err := url.PathUnescape(path)
	if err != nil {
		return path
	}
	return text
}
