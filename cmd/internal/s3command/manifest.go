package s3command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/s3server"
)

// A manifest is the JSON of --manifest: what the server has when it accepts its first request.
type manifest struct {
	Users   []userManifest   `json:"users"`
	Buckets []bucketManifest `json:"buckets"`
}

// A userManifest is a key beside that of the environment. Without an account, it may do everything.
type userManifest struct {
	AccessKeyID  string `json:"accessKeyId"`
	SecretKey    string `json:"secretKey"`
	SessionToken string `json:"sessionToken"`
	Account      string `json:"account"`
	ReadOnly     bool   `json:"readOnly"`
}

// A bucketManifest is a bucket that is created unless it exists, with its settings.
type bucketManifest struct {
	Name       string          `json:"name"`
	Versioning bool            `json:"versioning"`
	ObjectLock bool            `json:"objectLock"`
	Anonymous  string          `json:"anonymous"`
	Policy     json.RawMessage `json:"policy"`
}

func (m *manifest) UnmarshalJSON(data []byte) error {
	type plain manifest
	return decodeStrictly(data, "the manifest", (*plain)(m))
}

func (u *userManifest) UnmarshalJSON(data []byte) error {
	type plain userManifest
	return decodeStrictly(data, "a user", (*plain)(u))
}

func (b *bucketManifest) UnmarshalJSON(data []byte) error {
	type plain bucketManifest
	return decodeStrictly(data, "a bucket", (*plain)(b))
}

// decodeStrictly decodes an object into a struct. It refuses unknown names, and says which are known;
// package json would take names in any case.
func decodeStrictly(data []byte, what string, into any) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	var known []string
	for field := range reflect.TypeOf(into).Elem().Fields() {
		known = append(known, field.Tag.Get("json"))
	}
	for name := range fields {
		if !slices.Contains(known, name) {
			return fmt.Errorf("%s has no field %q: it can have %s", what, name, strings.Join(known, ", "))
		}
	}
	return json.Unmarshal(data, into)
}

// readManifest reads a file. "" is no file.
func readManifest(name string) (credentials []s3server.Credential, buckets []s3server.BucketSetup, err error) {
	if name == "" {
		return nil, nil, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, nil, err
	}
	var m manifest
	if err := json.Unmarshal(bytes.TrimSpace(text), &m); err != nil {
		return nil, nil, argument.Invalid("--manifest", "must name a JSON file: "+err.Error(), "")
	}
	for i, u := range m.Users {
		if u.AccessKeyID == "" || u.SecretKey == "" {
			return nil, nil, argument.Invalid("--manifest", fmt.Sprintf("must have accessKeyId and secretKey for users[%d]", i), "")
		}
		credentials = append(credentials, s3server.Credential(u))
	}
	for i := range m.Buckets {
		b, err := m.Buckets[i].setup()
		if err != nil {
			return nil, nil, argument.Invalid("--manifest", fmt.Sprintf("must be right for buckets[%d]: %v", i, err), "")
		}
		buckets = append(buckets, b)
	}
	return credentials, buckets, nil
}

// anonymousActions are the actions on a bucket and on its objects that "mc anonymous set" allows to
// everybody.
var anonymousActions = map[string][2][]string{
	"download": {{"s3:GetBucketLocation", "s3:ListBucket"}, {"s3:GetObject"}},
	"upload": {
		{"s3:GetBucketLocation", "s3:ListBucketMultipartUploads"},
		{"s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListMultipartUploadParts", "s3:PutObject"},
	},
	"public": {
		{"s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"},
		{"s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"},
	},
}

// setup returns the bucket in the server's terms.
func (b *bucketManifest) setup() (s3server.BucketSetup, error) {
	setup := s3server.BucketSetup{Name: b.Name, Versioning: b.Versioning, ObjectLock: b.ObjectLock, Policy: b.Policy}
	if b.Anonymous == "" || b.Anonymous == "none" {
		return setup, nil
	}
	actions, known := anonymousActions[b.Anonymous]
	switch {
	case !known:
		return setup, fmt.Errorf("anonymous must be none, download, upload or public, but is %q", b.Anonymous)
	case b.Policy != nil:
		return setup, fmt.Errorf("anonymous and policy exclude each other")
	}
	type statement struct {
		Effect, Principal string
		Action            []string
		Resource          string
	}
	var err error
	setup.Policy, err = json.Marshal(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", []statement{
		{"Allow", "*", actions[0], "arn:aws:s3:::" + b.Name},
		{"Allow", "*", actions[1], "arn:aws:s3:::" + b.Name + "/*"},
	}})
	return setup, err
}
