package permissions

import (
	"encoding/json"
	"fmt"
	"mime"
	"mime/multipart"
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
	sessions    map[string]*googleObject   // resumable uploads, by path
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

// contexts returns the contexts that a request sets, by key. A value is null if the request removes
// that context.
func (o *googleObject) contexts() map[string]json.RawMessage {
	if o.Contexts == nil {
		return nil
	}
	return o.Contexts.Custom
}

func (a *googleAccount) needs(x *Exchange) ([]string, error) {
	all, err := a.needsOfCall(x)
	if err == nil && (x.Query.Has("userProject") || x.hasHeader("X-Goog-User-Project")) {
		all = append(all, "serviceusage.services.use")
	}
	return all, err
}

func (a *googleAccount) needsOfCall(x *Exchange) ([]string, error) {
	if strings.HasSuffix(x.Path, ":signBlob") {
		return []string{"iam.serviceAccounts.signBlob"}, nil
	}
	path := strings.Split(x.Path, "/")
	if path[0] == "upload" {
		return a.upload(x, path[4])
	}
	if path[0] == "storage" && path[2] == "b" {
		return a.call(x, path[3:])
	}
	// A request of the XML API.
	if x.Method == "GET" && len(path) > 1 {
		return googleRead(x), nil
	}
	return nil, fmt.Errorf("the table of Google has no %s %s", x.Method, x.Path)
}

// googleRead returns the permissions that a read needs. Without storage.objects.list, Google
// responds with 403 to the read of a missing object:
// https://cloud.google.com/storage/docs/json_api/v1/status-codes#403-forbidden
func googleRead(x *Exchange) []string {
	if x.Status == 404 {
		return []string{"storage.objects.get", "storage.objects.list"}
	}
	return []string{"storage.objects.get"}
}

// upload returns the permissions that an upload needs. Requests to the URL of a session need no
// permission, because the URL itself grants access.
func (a *googleAccount) upload(x *Exchange, bucket string) ([]string, error) {
	if x.Query.Has("upload_id") {
		if o := a.sessions[x.Query.Get("upload_id")]; o != nil && x.Status == 200 {
			a.write(bucket, o)
		}
		return nil, nil
	}
	o := &googleObject{}
	text := []byte(x.Body)
	if x.Query.Get("uploadType") == "multipart" {
		_, params, err := mime.ParseMediaType(x.Header.Get("Content-Type"))
		if err != nil {
			return nil, err
		}
		first, err := multipart.NewReader(strings.NewReader(x.Body), params["boundary"]).NextRawPart()
		if err != nil {
			return nil, err
		}
		if err := json.NewDecoder(first).Decode(o); err != nil {
			return nil, err
		}
	} else if err := json.Unmarshal(text, o); err != nil {
		return nil, err
	}
	all := append([]string{"storage.objects.create"}, a.writePermissions(x, bucket, o)...)
	if location, err := url.Parse(x.Response.Get("Location")); err == nil && location.Query().Has("upload_id") {
		a.sessions[location.Query().Get("upload_id")] = o
	} else if x.Status == 200 {
		a.write(bucket, o)
	}
	return all, nil
}

// writePermissions returns the permissions that a write of an object needs in addition to
// storage.objects.create.
func (a *googleAccount) writePermissions(x *Exchange, bucket string, o *googleObject) (all []string) {
	if a.contextKeys[bucket+"/"+o.Name] != nil && x.Query.Get("ifGenerationMatch") != "0" {
		all = append(all, "storage.objects.delete")
	}
	if len(o.Retention) > 0 {
		all = append(all, "storage.objects.setRetention")
	}
	if len(o.contexts()) > 0 {
		all = append(all, "storage.objects.createContext")
	}
	// https://cloud.google.com/storage/docs/object-contexts
	if x.Query.Has("dropContextGroups") {
		all = append(all, "storage.objects.dropContexts")
	}
	return all
}

func (a *googleAccount) write(bucket string, o *googleObject) {
	contexts := map[string]bool{}
	for key := range o.contexts() {
		contexts[key] = true
	}
	a.contextKeys[bucket+"/"+o.Name] = contexts
}

// call returns the permissions that a request of the JSON API needs, unless it is an upload. path
// begins with the bucket.
func (a *googleAccount) call(x *Exchange, path []string) ([]string, error) {
	o := &googleObject{}
	if x.Body != "" {
		if err := json.Unmarshal([]byte(x.Body), o); err != nil {
			return nil, err
		}
	}
	if len(path) == 0 {
		return googleBuckets(x)
	}
	if len(path) == 1 {
		return googleBucket(x, o)
	}
	if path[1] == "iam" && x.Method == "GET" {
		return []string{"storage.buckets.getIamPolicy"}, nil
	}
	if path[1] == "iam" && x.Method == "PUT" {
		return []string{"storage.buckets.setIamPolicy"}, nil
	}
	if path[1] == "storageLayout" || path[1] == "o" && len(path) == 2 && x.Method == "GET" {
		return []string{"storage.objects.list"}, nil
	}
	return a.object(x, path[0], strings.Join(path[2:], "/"), o)
}

func googleBuckets(x *Exchange) ([]string, error) {
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

func googleBucket(x *Exchange, change *googleObject) ([]string, error) {
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

func (a *googleAccount) object(x *Exchange, bucket, name string, o *googleObject) ([]string, error) {
	source, target, copies := strings.Cut(name, "/rewriteTo/b/")
	if copies {
		o.Name = target[strings.Index(target, "/o/")+3:]
		all := append([]string{"storage.objects.get", "storage.objects.create"}, a.writePermissions(x, bucket, o)...)
		a.write(bucket, o)
		if !x.Query.Has("dropContextGroups") && len(o.contexts()) == 0 {
			a.contextKeys[bucket+"/"+o.Name] = a.contextKeys[bucket+"/"+source]
		}
		return all, nil
	}
	if strings.Contains(name, "/moveTo/o/") {
		source, target, _ := strings.Cut(name, "/moveTo/o/")
		o.Name = target
		all := append(
			[]string{"storage.objects.get", "storage.objects.delete", "storage.objects.create"},
			a.writePermissions(x, bucket, o)...)
		a.contextKeys[bucket+"/"+target] = a.contextKeys[bucket+"/"+source]
		return all, nil
	}
	if strings.HasSuffix(name, "/compose") {
		if o.Destination != nil {
			o = o.Destination
		}
		o.Name = strings.TrimSuffix(name, "/compose")
		all := append([]string{"storage.objects.get", "storage.objects.create"}, a.writePermissions(x, bucket, o)...)
		if x.Status == 200 {
			a.write(bucket, o)
		}
		return all, nil
	}
	switch x.Method {
	case "GET":
		return googleRead(x), nil
	case "DELETE":
		if x.Status < 300 && !x.Query.Has("generation") {
			delete(a.contextKeys, bucket+"/"+name)
		}
		return []string{"storage.objects.delete"}, nil
	case "PATCH":
		return append([]string{"storage.objects.update"}, a.patchPermissions(x, bucket+"/"+name, o)...), nil
	}
	return nil, fmt.Errorf("the table of Google has no %s of an object", x.Method)
}

// patchPermissions returns the permissions that a change of an object needs in addition to
// storage.objects.update.
func (a *googleAccount) patchPermissions(x *Exchange, path string, o *googleObject) (all []string) {
	if len(o.Retention) > 0 {
		all = append(all, "storage.objects.setRetention")
	}
	if x.Query.Get("overrideUnlockedRetention") == "true" {
		all = append(all, "storage.objects.overrideUnlockedRetention")
	}
	if strings.Contains(x.Body, `"contexts":null`) || strings.Contains(x.Body, `"custom":null`) {
		all = append(all, "storage.objects.deleteContext")
	}
	for key, value := range o.contexts() {
		switch {
		case string(value) == "null":
			all = append(all, "storage.objects.deleteContext")
		case a.contextKeys[path][key]:
			all = append(all, "storage.objects.updateContext")
		default:
			all = append(all, "storage.objects.createContext")
		}
	}
	return all
}
