package permissions

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
)

// A googleAccount remembers which objects were stored, because replacing an object needs more
// permissions than creating it.
//
// https://cloud.google.com/storage/docs/access-control/iam-json
// https://cloud.google.com/storage/docs/access-control/iam-xml
type googleAccount struct {
	contextKeys map[string]map[string]bool // keys of each object's contexts (tags), by path
	sessions    map[string]*googleObject   // resumable uploads, by ID
}

func newGoogleAccount() classifier {
	return &googleAccount{map[string]map[string]bool{}, map[string]*googleObject{}}
}

// A googleObject has the fields of a request that writes an object, as far as permissions depend on
// them.
type googleObject struct {
	Name      string          `json:"name"`
	Retention json.RawMessage `json:"retention"`
	Contexts  *struct {
		Custom map[string]json.RawMessage `json:"custom"`
	} `json:"contexts"`
	IAM struct {
		PublicAccessPrevention string `json:"publicAccessPrevention"`
	} `json:"iamConfiguration"`
	Destination *googleObject `json:"destination"`
}

// contexts returns the contexts that a request sets, by key. The value of a context that the request
// removes is null.
func (o *googleObject) contexts() map[string]json.RawMessage {
	if o.Contexts == nil {
		return nil
	}
	return o.Contexts.Custom
}

// needs returns the permissions that a request needs: those of its call and, if it names a project that
// pays for it, that to use the project.
func (a *googleAccount) needs(x *Exchange) ([]string, error) {
	needs, err := a.requestPermissions(x)
	if err != nil {
		return nil, err
	}
	if x.Query.Has("userProject") || x.hasHeader("X-Goog-User-Project") {
		needs = append(needs, "serviceusage.services.use")
	}
	return needs, nil
}

// requestPermissions returns the permissions that a request needs because of its path and method.
func (a *googleAccount) requestPermissions(x *Exchange) ([]string, error) {
	if strings.HasSuffix(x.Path, ":signBlob") {
		return []string{"iam.serviceAccounts.signBlob"}, nil
	}

	// The JSON API has the paths storage/v1/b/BUCKET/… and, for uploads, upload/storage/v1/b/BUCKET/….
	path := strings.Split(x.Path, "/")
	if path[0] == "upload" {
		return a.uploadPermissions(x, path[4])
	}
	if path[0] == "storage" && path[2] == "b" {
		return a.callPermissions(x, path[3:])
	}
	// A request of the XML API.
	if x.Method == "GET" && len(path) > 1 {
		return googleReadPermissions(x), nil
	}
	return nil, fmt.Errorf("the table of Google has no %s %s", x.Method, x.Path)
}

// googleReadPermissions returns the permissions that a read needs. Without storage.objects.list, Google
// responds with 403 to the read of a missing object:
// https://cloud.google.com/storage/docs/json_api/v1/status-codes#403-forbidden
func googleReadPermissions(x *Exchange) []string {
	if x.Status == 404 {
		return []string{"storage.objects.get", "storage.objects.list"}
	}
	return []string{"storage.objects.get"}
}

// uploadPermissions returns the permissions that a request of an upload needs. A request to the URL of a session
// needs none, because the URL itself grants access.
func (a *googleAccount) uploadPermissions(x *Exchange, bucket string) ([]string, error) {
	if x.Query.Has("upload_id") {
		object := a.sessions[x.Query.Get("upload_id")]
		isStored := object != nil && x.Status == http.StatusOK
		if isStored {
			a.recordWrite(bucket, object)
		}
		return nil, nil
	}

	object, err := uploadedObject(x)
	if err != nil {
		return nil, err
	}
	needs := append([]string{"storage.objects.create"}, a.writePermissions(x, bucket, object)...)

	// The request either begins a session or stores the object.
	if id := begunSession(x); id != "" {
		a.sessions[id] = object
		return needs, nil
	}
	if x.Status == http.StatusOK {
		a.recordWrite(bucket, object)
	}
	return needs, nil
}

// begunSession returns the id of the session that a request has begun, or "" if it has begun none. The
// response then has the URL of the session.
func begunSession(x *Exchange) string {
	location, err := url.Parse(x.Response.Get("Location"))
	if err != nil {
		return ""
	}
	return location.Query().Get("upload_id")
}

// uploadedObject returns the fields of the object that an upload creates, which are the body or, if
// that is a multipart body, its first part.
func uploadedObject(x *Exchange) (*googleObject, error) {
	var body io.Reader = strings.NewReader(x.Body)
	if x.Query.Get("uploadType") == "multipart" {
		_, params, err := mime.ParseMediaType(x.Header.Get("Content-Type"))
		if err != nil {
			return nil, err
		}
		// The first part has the fields in JSON.
		body, err = multipart.NewReader(body, params["boundary"]).NextRawPart()
		if err != nil {
			return nil, err
		}
	}
	object := &googleObject{}
	if err := json.NewDecoder(body).Decode(object); err != nil {
		return nil, err
	}
	return object, nil
}

// writePermissions returns the permissions that a write of an object needs in addition to
// storage.objects.create.
func (a *googleAccount) writePermissions(x *Exchange, bucket string, object *googleObject) (needs []string) {
	exists := a.contextKeys[bucket+"/"+object.Name] != nil
	mayReplace := x.Query.Get("ifGenerationMatch") != "0" // 0 permits only a new object
	if exists && mayReplace {
		needs = append(needs, "storage.objects.delete")
	}
	if len(object.Retention) > 0 {
		needs = append(needs, "storage.objects.setRetention")
	}
	if len(object.contexts()) > 0 {
		needs = append(needs, "storage.objects.createContext")
	}
	// https://cloud.google.com/storage/docs/object-contexts
	if x.Query.Has("dropContextGroups") {
		needs = append(needs, "storage.objects.dropContexts")
	}
	return needs
}

// recordWrite records the keys of the contexts with which an object was written.
func (a *googleAccount) recordWrite(bucket string, object *googleObject) {
	keys := map[string]bool{}
	for key := range object.contexts() {
		keys[key] = true
	}
	a.contextKeys[bucket+"/"+object.Name] = keys
}

// callPermissions returns the permissions that a request of the JSON API, other than an upload, needs. path has
// the elements of the request's path from the bucket's name on.
func (a *googleAccount) callPermissions(x *Exchange, path []string) ([]string, error) {
	object := &googleObject{}
	if x.Body != "" {
		if err := json.Unmarshal([]byte(x.Body), object); err != nil {
			return nil, err
		}
	}

	// A path without a second element is that of the account or of a bucket.
	switch len(path) {
	case 0:
		return googleBucketsPermissions(x)
	case 1:
		return googleBucketPermissions(x, object)
	}

	// The second element is "o" for objects, or the name of a property of the bucket.
	bucket := path[0]
	kind := path[1]
	isListing := kind == "o" && len(path) == 2 && x.Method == "GET"
	switch {
	case kind == "iam" && x.Method == "GET":
		return []string{"storage.buckets.getIamPolicy"}, nil
	case kind == "iam" && x.Method == "PUT":
		return []string{"storage.buckets.setIamPolicy"}, nil
	case kind == "storageLayout" || isListing:
		return []string{"storage.objects.list"}, nil
	default:
		return a.objectPermissions(x, bucket, strings.Join(path[2:], "/"), object)
	}
}

// googleBucketsPermissions returns the permissions that a request about the buckets of a project needs.
func googleBucketsPermissions(x *Exchange) ([]string, error) {
	if x.Method == "GET" {
		return []string{"storage.buckets.list"}, nil
	}
	if x.Method == "POST" && x.Query.Get("enableObjectRetention") == "true" {
		return []string{"storage.buckets.create", "storage.buckets.enableObjectRetention"}, nil
	}
	if x.Method == "POST" {
		return []string{"storage.buckets.create"}, nil
	}
	return nil, fmt.Errorf("the table of Google has no %s of buckets", x.Method)
}

// googleBucketPermissions returns the permissions that a request about one bucket needs.
func googleBucketPermissions(x *Exchange, change *googleObject) ([]string, error) {
	if x.Method == "GET" {
		return []string{"storage.buckets.get"}, nil
	}
	if x.Method == "DELETE" {
		return []string{"storage.buckets.delete"}, nil
	}
	if x.Method == "PATCH" && change.IAM.PublicAccessPrevention != "" {
		return []string{"storage.buckets.update", "storage.buckets.setIamPolicy"}, nil
	}
	if x.Method == "PATCH" {
		return []string{"storage.buckets.update"}, nil
	}
	return nil, fmt.Errorf("the table of Google has no %s of a bucket", x.Method)
}

// objectPermissions returns the permissions that a request about an object needs. name is the key, with an action
// such as /compose after it if there is one, and object has the fields of the request.
func (a *googleAccount) objectPermissions(x *Exchange, bucket, name string, object *googleObject) ([]string, error) {
	// The name of a copy is like source/rewriteTo/b/bucket/o/key.
	if source, target, ok := strings.Cut(name, "/rewriteTo/b/"); ok {
		_, object.Name, _ = strings.Cut(target, "/o/")
		return a.copyPermissions(x, bucket, source, object), nil
	}
	if source, target, ok := strings.Cut(name, "/moveTo/o/"); ok {
		object.Name = target
		return a.movePermissions(x, bucket, source, object), nil
	}
	if target, ok := strings.CutSuffix(name, "/compose"); ok {
		if object.Destination != nil {
			object = object.Destination
		}
		object.Name = target
		return a.composePermissions(x, bucket, object), nil
	}

	switch x.Method {
	case "GET":
		return googleReadPermissions(x), nil
	case "DELETE":
		removesCurrent := x.Status < http.StatusMultipleChoices && !x.Query.Has("generation")
		if removesCurrent {
			delete(a.contextKeys, bucket+"/"+name)
		}
		return []string{"storage.objects.delete"}, nil
	case "PATCH":
		return append([]string{"storage.objects.update"}, a.patchPermissions(x, bucket+"/"+name, object)...), nil
	default:
		return nil, fmt.Errorf("the table of Google has no %s of an object", x.Method)
	}
}

// copyPermissions returns the permissions that a copy needs, and records its contexts, which are those
// of the source unless the request changes them.
func (a *googleAccount) copyPermissions(x *Exchange, bucket, source string, object *googleObject) []string {
	needs := []string{"storage.objects.get", "storage.objects.create"}
	needs = append(needs, a.writePermissions(x, bucket, object)...)

	a.recordWrite(bucket, object)
	keepsContexts := !x.Query.Has("dropContextGroups") && len(object.contexts()) == 0
	if keepsContexts {
		a.contextKeys[bucket+"/"+object.Name] = a.contextKeys[bucket+"/"+source]
	}
	return needs
}

// movePermissions returns the permissions that a move needs, which keeps the contexts of its source.
func (a *googleAccount) movePermissions(x *Exchange, bucket, source string, object *googleObject) []string {
	needs := []string{"storage.objects.get", "storage.objects.delete", "storage.objects.create"}
	needs = append(needs, a.writePermissions(x, bucket, object)...)
	a.contextKeys[bucket+"/"+object.Name] = a.contextKeys[bucket+"/"+source]
	return needs
}

// composePermissions returns the permissions that a composition needs, and records its contexts.
func (a *googleAccount) composePermissions(x *Exchange, bucket string, object *googleObject) []string {
	needs := []string{"storage.objects.get", "storage.objects.create"}
	needs = append(needs, a.writePermissions(x, bucket, object)...)
	if x.Status == http.StatusOK {
		a.recordWrite(bucket, object)
	}
	return needs
}

// patchPermissions returns the permissions that a change of the object at path needs in addition to
// storage.objects.update.
func (a *googleAccount) patchPermissions(x *Exchange, path string, change *googleObject) (needs []string) {
	if len(change.Retention) > 0 {
		needs = append(needs, "storage.objects.setRetention")
	}
	if x.Query.Get("overrideUnlockedRetention") == "true" {
		needs = append(needs, "storage.objects.overrideUnlockedRetention")
	}

	removesAllContexts := strings.Contains(x.Body, `"contexts":null`) || strings.Contains(x.Body, `"custom":null`)
	if removesAllContexts {
		needs = append(needs, "storage.objects.deleteContext")
	}
	for key, value := range change.contexts() {
		isRemoved := string(value) == "null"
		switch {
		case isRemoved:
			needs = append(needs, "storage.objects.deleteContext")
		case a.contextKeys[path][key]:
			needs = append(needs, "storage.objects.updateContext")
		default:
			needs = append(needs, "storage.objects.createContext")
		}
	}
	return needs
}
