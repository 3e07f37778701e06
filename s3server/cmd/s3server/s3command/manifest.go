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

// decodeStrictly decodes a JSON object into a struct. It refuses a name that is unknown or occurs
// twice, and the error for an unknown name lists the known names. Package json would ignore the
// case of letters, and would use the last of several values for a name.
func decodeStrictly(data []byte, doc string, dst any) error {
	var names, result []string
	for field := range reflect.TypeOf(dst).Elem().Fields() {
		names = append(names, field.Tag.Get("json"))
	}
	// errors are ignored, because package json has already checked that data is valid
	// JSON
	decoder := json.NewDecoder(bytes.NewReader(data))
	if start, _ := decoder.Token(); start != json.Delim('{') {
		return fmt.Errorf("%s must be an object", doc)
	}
	for decoder.More() {
		token, _ := decoder.Token()
		name := token.(string)
		switch {
		case !slices.Contains(names, name):
			return fmt.Errorf("%s has no field %q: it can have %s", doc, name, strings.Join(names, ", "))
		case slices.Contains(result, name):
			return fmt.Errorf("%s has %q twice", doc, name)
		default:
			result = append(result, name)
		}
		_ = decoder.Decode(new(json.RawMessage))
	}
	return json.Unmarshal(data, dst)
}

// account matches the id of an account as policies write it: 12 digits. An empty id means the
// default account.
var account = regexp.MustCompile(`^(\d{12})?$`)

// readManifest reads the manifest in the file with this name. If name is "", it returns nothing.
// root is the access key of the server itself. If a user in the manifest has this
// key, too, readManifest fails.
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
	keys := []string{root}
	var names []string
	for i, u := range m.Users {
		rule := ""
		switch {
		case u.AccessKeyID == "" || u.SecretKey == "":
			rule = "have accessKeyId and secretKey"
		case slices.Contains(keys, u.AccessKeyID):
			rule = fmt.Sprintf("have an accessKeyId of its own, but %q is that of another user or of the server", u.AccessKeyID)
		case !account.MatchString(u.Account):
			rule = fmt.Sprintf("be right: account must have 12 digits, but is %q", u.Account)
		}
		if rule != "" {
			return nil, nil, argument.Invalid("--manifest", fmt.Sprintf("is wrong: users[%d] must %s", i, rule), "")
		}
		keys = append(keys, u.AccessKeyID)
		credentials = append(credentials, s3server.Credential(u))
	}
	for i := range m.Buckets {
		b, err := m.Buckets[i].setup()
		if err == nil && slices.Contains(names, b.Name) {
			err = fmt.Errorf("%q is there twice", b.Name)
		}
		if err != nil {
			return nil, nil, argument.Invalid("--manifest", fmt.Sprintf("must be right for buckets[%d]: %v", i, err), "")
		}
		names = append(names, b.Name)
		buckets = append(buckets, b)
	}
	return credentials, buckets, nil
}

// anonymousActions maps the values of "mc anonymous set" to the actions that everybody may then
// perform: first the actions on the bucket, then those on its objects.
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

// setup converts b to a [s3server.BucketSetup].
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
