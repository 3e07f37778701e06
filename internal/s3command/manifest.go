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

// A manifest is the JSON of --manifest: what the server has when it accepts its first request.
type manifest struct {
	Users   []userManifest   `json:"users"`
	Buckets []bucketManifest `json:"buckets"`
}

// A userManifest is an access key in addition to the one of the environment. Without an account,
// the key may do everything.
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

// decodeStrictly decodes an object into a struct. It refuses names that are unknown or occur twice, and says which
// names are known. Package json would accept names in any case, and use the last of two.
func decodeStrictly(data []byte, what string, into any) error {
	var known, found []string
	for field := range reflect.TypeOf(into).Elem().Fields() {
		known = append(known, field.Tag.Get("json"))
	}
	decoder := json.NewDecoder(bytes.NewReader(data)) // without errors, because package json has checked data
	if start, _ := decoder.Token(); start != json.Delim('{') {
		return fmt.Errorf("%s must be an object", what)
	}
	for decoder.More() {
		name, _ := decoder.Token()
		switch name := name.(string); {
		case !slices.Contains(known, name):
			return fmt.Errorf("%s has no field %q: it can have %s", what, name, strings.Join(known, ", "))
		case slices.Contains(found, name):
			return fmt.Errorf("%s has %q twice", what, name)
		default:
			found = append(found, name)
		}
		_ = decoder.Decode(new(json.RawMessage))
	}
	return json.Unmarshal(data, into)
}

// account is the form of an account's id, without which no policy can name it.
var account = regexp.MustCompile(`^(\d{12})?$`)

// readManifest reads a file. "" means no file. root is the access key of the server.
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
	keys, names := []string{root}, []string(nil)
	for i, u := range m.Users {
		wrong := ""
		switch {
		case u.AccessKeyID == "" || u.SecretKey == "":
			wrong = "have accessKeyId and secretKey"
		case slices.Contains(keys, u.AccessKeyID):
			wrong = fmt.Sprintf("have an accessKeyId of its own, but %q is that of another user or of the server", u.AccessKeyID)
		case !account.MatchString(u.Account):
			wrong = fmt.Sprintf("be right: account must have 12 digits, but is %q", u.Account)
		}
		if wrong != "" {
			return nil, nil, argument.Invalid("--manifest", fmt.Sprintf("is wrong: users[%d] must %s", i, wrong), "")
		}
		keys, credentials = append(keys, u.AccessKeyID), append(credentials, s3server.Credential(u))
	}
	for i := range m.Buckets {
		b, err := m.Buckets[i].setup()
		if err == nil && slices.Contains(names, b.Name) {
			err = fmt.Errorf("%q is there twice", b.Name)
		}
		if err != nil {
			return nil, nil, argument.Invalid("--manifest", fmt.Sprintf("must be right for buckets[%d]: %v", i, err), "")
		}
		names, buckets = append(names, b.Name), append(buckets, b)
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
