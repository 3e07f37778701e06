package s3command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/s3server"
)

// A manifest is the JSON of the flag --manifest. It describes the users and buckets that the server has before its
// first request.
type manifest struct {
	Users   []userManifest   `json:"users"`
	Buckets []bucketManifest `json:"buckets"`
}

// A userManifest is an access key in addition to the server's own. If Account is "", the key has
// all permissions.
type userManifest struct {
	AccessKeyID  string `json:"accessKeyId"`
	SecretKey    string `json:"secretKey"`
	SessionToken string `json:"sessionToken"`
	Account      string `json:"account"`
	ReadOnly     bool   `json:"readOnly"`
}

// A bucketManifest is a bucket and its settings. The server creates the bucket unless it exists.
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

// decodeStrictly decodes a JSON object, which errors call doc, into a struct. Unlike package json, which ignores the
// case of letters and uses the last of several values, it fails if a name is unknown or occurs twice.
func decodeStrictly(data []byte, doc string, dst any) error {
	var known, seen []string
	for field := range reflect.TypeOf(dst).Elem().Fields() {
		known = append(known, field.Tag.Get("json"))
	}

	// The decoder cannot fail, because package json has already checked that data is valid JSON.
	decoder := json.NewDecoder(bytes.NewReader(data))
	if start, _ := decoder.Token(); start != json.Delim('{') {
		return fmt.Errorf("%s must be an object", doc)
	}
	for decoder.More() {
		// In an object, every second token is a name.
		token, _ := decoder.Token()
		name := token.(string)
		if !slices.Contains(known, name) {
			return fmt.Errorf("%s has no field %q: it can have %s", doc, name, strings.Join(known, ", "))
		}
		if slices.Contains(seen, name) {
			return fmt.Errorf("%s has %q twice", doc, name)
		}
		seen = append(seen, name)
		// Skip the value.
		_ = decoder.Decode(new(json.RawMessage))
	}
	return json.Unmarshal(data, dst)
}

// account matches the id of an account as policies write it: 12 digits. An empty id means the
// default account.
var account = regexp.MustCompile(`^(\d{12})?$`)

// readManifest reads the users and buckets in the manifest, the JSON file of that name. If name is "", it returns
// nothing. It fails if a user in the manifest has the access key of the server itself, root.
func readManifest(name, root string) (credentials []s3server.Credential, buckets []s3server.BucketSetup, err error) {
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
	credentials, err = m.credentials(root)
	if err != nil {
		return nil, nil, err
	}
	buckets, err = m.setups()
	if err != nil {
		return nil, nil, err
	}
	return credentials, buckets, nil
}

// credentials returns the credentials of the users. It fails if a user is invalid, or has the access key of another
// user or that of the server itself, root.
func (m *manifest) credentials(root string) ([]s3server.Credential, error) {
	var all []s3server.Credential
	keys := []string{root} // the access keys so far
	for i, u := range m.Users {
		if u.AccessKeyID == "" || u.SecretKey == "" {
			return nil, userError(i, "have accessKeyId and secretKey")
		}
		if slices.Contains(keys, u.AccessKeyID) {
			return nil, userError(i, fmt.Sprintf(
				"have an accessKeyId of its own, but %q is that of another user or of the server", u.AccessKeyID))
		}
		if !account.MatchString(u.Account) {
			return nil, userError(i, fmt.Sprintf("be right: account must have 12 digits, but is %q", u.Account))
		}
		keys = append(keys, u.AccessKeyID)
		all = append(all, s3server.Credential(u))
	}
	return all, nil
}

// userError returns the error of a user who does not meet a requirement, such as "have a secretKey".
func userError(index int, requirement string) error {
	return argument.Invalid("--manifest", fmt.Sprintf("is wrong: users[%d] must %s", index, requirement), "")
}

// setups returns the setups of the buckets. It fails if a bucket is invalid, or if two have the same name.
func (m *manifest) setups() ([]s3server.BucketSetup, error) {
	var all []s3server.BucketSetup
	names := map[string]bool{}
	for i := range m.Buckets {
		setup, err := m.Buckets[i].setup()
		if err != nil {
			return nil, bucketError(i, err)
		}
		if names[setup.Name] {
			return nil, bucketError(i, fmt.Errorf("%q is there twice", setup.Name))
		}
		names[setup.Name] = true
		all = append(all, setup)
	}
	return all, nil
}

// bucketError returns the error of a bucket of the manifest.
func bucketError(index int, err error) error {
	return argument.Invalid("--manifest", fmt.Sprintf("must be right for buckets[%d]: %v", index, err), "")
}

// anonymousActions maps the values of "mc anonymous set" to the actions that everybody may then
// perform on the bucket and on its objects.
var anonymousActions = map[string]struct{ onBucket, onObjects []string }{
	"download": {
		onBucket:  []string{"s3:GetBucketLocation", "s3:ListBucket"},
		onObjects: []string{"s3:GetObject"},
	},
	"upload": {
		onBucket: []string{"s3:GetBucketLocation", "s3:ListBucketMultipartUploads"},
		onObjects: []string{
			"s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListMultipartUploadParts", "s3:PutObject",
		},
	},
	"public": {
		onBucket: []string{"s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"},
		onObjects: []string{
			"s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject",
		},
	},
}

// A policyDocument is the JSON of a bucket policy.
type policyDocument struct {
	Version   string
	Statement []policyStatement
}

// A policyStatement is one statement of a policyDocument.
type policyStatement struct {
	Effect    string
	Principal string
	Action    []string
	Resource  string
}

// setup returns the [s3server.BucketSetup] of b, in which Anonymous, the rights of everybody, has become a policy.
func (b *bucketManifest) setup() (s3server.BucketSetup, error) {
	setup := s3server.BucketSetup{Name: b.Name, Versioning: b.Versioning, ObjectLock: b.ObjectLock, Policy: b.Policy}
	if b.Anonymous == "" || b.Anonymous == "none" {
		return setup, nil
	}

	actions, ok := anonymousActions[b.Anonymous]
	if !ok {
		return setup, fmt.Errorf("anonymous must be none, download, upload or public, but is %q", b.Anonymous)
	}
	if b.Policy != nil {
		return setup, fmt.Errorf("anonymous and policy exclude each other")
	}

	arn := "arn:aws:s3:::" + b.Name
	document, err := json.Marshal(policyDocument{
		Version: "2012-10-17",
		Statement: []policyStatement{
			{Effect: "Allow", Principal: "*", Action: actions.onBucket, Resource: arn},
			{Effect: "Allow", Principal: "*", Action: actions.onObjects, Resource: arn + "/*"},
		},
	})
	setup.Policy = document
	return setup, err
}
