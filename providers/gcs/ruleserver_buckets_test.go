package gcs_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A ruleResource has what the rule server keeps of a bucket that a client made: its fields as they
// were sent, and its IAM policy.
type ruleResource struct {
	fields  map[string]json.RawMessage
	policy  json.RawMessage
	etag    int // of the policy
	changes int
}

// ruleSettings are the fields that the rule server heeds.
type ruleSettings struct {
	Name       string
	Versioning struct{ Enabled bool }
	IAM        struct {
		Prevention string                 `json:"publicAccessPrevention"`
		Uniform    struct{ Enabled bool } `json:"uniformBucketLevelAccess"`
	} `json:"iamConfiguration"`
}

// settings returns the settings that the client has set.
func (b *ruleBucket) settings() (s ruleSettings) {
	data, _ := json.Marshal(b.resource.fields)
	_ = json.Unmarshal(data, &s)
	return s
}

// serveBuckets handles "b".
func (s *ruleServer) serveBuckets(r *http.Request, body []byte) (any, *refusal) {
	if r.Method == http.MethodPost {
		return s.createBucket(r, body)
	}
	items := []any{}
	for _, name := range slices.Sorted(maps.Keys(s.buckets)) {
		items = append(items, s.buckets[name].describe(name))
	}
	return map[string]any{"kind": "storage#buckets", "items": items}, nil
}

// createBucket makes a bucket of the account's kind. If the bucket exists, the error has the
// message of GoogleCloudPlatform/magic-modules#11550.
func (s *ruleServer) createBucket(r *http.Request, body []byte) (any, *refusal) {
	b := &ruleBucket{locking: r.URL.Query().Get("enableObjectRetention") == "true"}
	if json.Unmarshal(body, &b.resource.fields) != nil {
		return nil, invalidArgument("Parse Error")
	}
	name := b.settings().Name
	if s.buckets[name] != nil {
		return nil, &refusal{
			status:  409,
			reason:  "conflict",
			message: "Your previous request to create the named bucket succeeded and you already own it.",
		}
	}
	b.applySettings()
	s.add(name, b)
	return b.describe(name), nil
}

// applySettings applies the settings that the server implements.
func (b *ruleBucket) applySettings() {
	settings := b.settings()
	b.versioned = settings.Versioning.Enabled
	b.uniform = settings.IAM.Uniform.Enabled
	b.prevented = settings.IAM.Prevention == "enforced"
}

// describe returns the resource of the bucket.
func (b *ruleBucket) describe(name string) any {
	described := map[string]any{
		"kind":           "storage#bucket",
		"name":           name,
		"location":       "US",
		"timeCreated":    "2026-01-02T03:04:05.678Z",
		"versioning":     map[string]bool{"enabled": b.versioned},
		"metageneration": strconv.Itoa(b.resource.changes + 1),
	}
	for field, value := range b.resource.fields {
		if field != "location" && field != "versioning" {
			described[field] = value
		}
	}
	if b.locking {
		described["objectRetention"] = map[string]string{"mode": "Enabled"}
	}
	return described
}

// serveBucket handles "b/BUCKET".
func (s *ruleServer) serveBucket(r *http.Request, name string, body []byte) (any, *refusal) {
	b := s.buckets[name]
	switch r.Method {
	case http.MethodDelete:
		if len(b.objects) > 0 {
			return nil, &refusal{
				status:  409,
				reason:  "conflict",
				message: "The bucket you tried to delete is not empty.",
			}
		}
		delete(s.buckets, name)
		return nil, nil
	case http.MethodPatch:
		var change map[string]json.RawMessage
		if json.Unmarshal(body, &change) != nil {
			return nil, invalidArgument("Parse Error")
		}
		if b.resource.fields == nil {
			b.resource.fields = map[string]json.RawMessage{}
		}
		for field, value := range change {
			if field == "iamConfiguration" {
				value = withFields(b.resource.fields[field], value)
			}
			b.resource.fields[field] = value
			if string(value) == "null" {
				delete(b.resource.fields, field)
			}
		}
		b.applySettings()
		b.resource.changes++
	}
	return b.describe(name), nil
}

// withFields returns a document to which the fields of another document are added. They replace
// fields of the same name.
func withFields(document, with json.RawMessage) json.RawMessage {
	fields := map[string]json.RawMessage{}
	other := map[string]json.RawMessage{}
	_ = json.Unmarshal(document, &fields)
	_ = json.Unmarshal(with, &other)
	maps.Copy(fields, other)
	data, _ := json.Marshal(fields)
	return data
}

// servePolicy handles "b/BUCKET/iam".
// https://cloud.google.com/storage/docs/json_api/v1/buckets/setIamPolicy
func (b *ruleBucket) servePolicy(r *http.Request, body []byte) (any, *refusal) {
	current := strconv.Itoa(b.resource.etag)
	if r.Method == http.MethodPut {
		var policy struct {
			Etag     string
			Bindings json.RawMessage
		}
		err := json.Unmarshal(body, &policy)
		if err != nil {
			return nil, invalidArgument("Parse Error")
		}
		if policy.Etag != "" && policy.Etag != current {
			return nil, conditionNotMet
		}
		if b.prevented && strings.Contains(string(policy.Bindings), "allUsers") {
			return nil, &refusal{
				status:  412,
				reason:  "conditionNotMet",
				message: "The member bindings allUsers and allAuthenticatedUsers are not allowed since public access prevention is enforced.",
			}
		}
		b.resource.policy = policy.Bindings
		b.resource.etag++
		b.public = strings.Contains(string(policy.Bindings), "allUsers")
	}
	policy := map[string]any{"kind": "storage#policy", "version": 3, "etag": strconv.Itoa(b.resource.etag)}
	if len(b.resource.policy) > 0 {
		policy["bindings"] = b.resource.policy
	}
	return policy, nil
}

// A ruleKind is what an account's owner, or its organization, has set for all new buckets. The rule
// server applies it in addition to the settings of a test.
type ruleKind func(*ruleBucket)

// peculiar makes a bucket with everything that can be on at once. Everybody can read it, so
// Google's cache is used (see ruleCache). There are folders, and new objects are held. The owner
// ends the hold of each object, as a listener of the bucket's notifications does, but knows nothing
// of parts. A bucket with folders keeps no versions.
// https://cloud.google.com/storage/docs/hns-overview,
// https://cloud.google.com/storage/docs/object-holds
func peculiar(b *ruleBucket) {
	b.public = true
	b.holding = true
	b.released = true
	if !b.versioned && !b.locking {
		b.folders = map[string]bool{}
	}
}

// retaining makes a bucket with a retention policy. The retention is so short that the bucket differs from others only
// in what responses say about it. https://cloud.google.com/storage/docs/bucket-lock
func retaining(b *ruleBucket) { b.retention = time.Nanosecond }

// maxNamePart is the limit in bytes for the folder in a name, and for the rest of the name.
// https://cloud.google.com/storage/docs/objects#naming
const maxNamePart = 512

// nameRefusal returns why the bucket takes no object of this name, or nil.
func (b *ruleBucket) nameRefusal(key string) *refusal {
	if len(key) > 1024 {
		return invalidArgument(fmt.Sprintf("The maximum object length is 1024 characters, but got a name with %d characters", len(key)))
	}
	if strings.ContainsAny(key, "\r\n") {
		return invalidArgument("Disallowed unicode characters present in object name")
	}
	if b.folders == nil {
		return nil
	}

	folderLength := strings.LastIndexByte(key, '/') + 1
	baseLength := len(key) - folderLength
	if folderLength > maxNamePart || baseLength > maxNamePart {
		return invalidArgument("The name is too long for a bucket with a hierarchical namespace.")
	}
	return nil
}
