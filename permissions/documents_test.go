package permissions_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/permissions"
)

const someKey = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

func grant(prefix string, names ...permissions.Operation) permissions.Grant {
	return permissions.Grant{Operations: names, Bucket: "photos", Prefix: prefix, KMSKey: someKey}
}

// These types are the forms of the documents, as the pages of the providers show them.
type (
	amazonForm struct {
		Version   string
		Statement []struct {
			Effect    string
			Action    []string
			Resource  string
			Condition *struct{ StringLike map[string]string }
		}
	}
	googleRoleForm struct {
		Title       string   `json:"title"`
		Permissions []string `json:"includedPermissions"`
	}
	googleBindingForm struct {
		Role      string   `json:"role"`
		Members   []string `json:"members"`
		Condition *struct {
			Title      string `json:"title"`
			Expression string `json:"expression"`
		} `json:"condition"`
	}
	azureRoleForm struct {
		Name                                   string
		IsCustom                               bool
		Actions, DataActions, AssignableScopes []string
	}
)

// parseForm reads a document that has only the fields of a form.
func parseForm[T any](t *testing.T, text string) (form T) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&form))

	_, err := decoder.Token()
	require.Equal(t, io.EOF, err)
	require.Equal(t, -1, bytes.IndexFunc([]byte(text), func(r rune) bool { return r > 0x7e }), "it must be ASCII")
	return form
}

// The documents of every operation, with and without a prefix, have the form that the provider reads, unless the
// provider does not support the operation.
func TestDocumentsOfEachOperationHaveTheFormOfTheProvider(t *testing.T) {
	for _, provider := range permissions.Providers() {
		for _, operation := range permissions.Operations() {
			for _, prefix := range []string{"", "users/"} {
				documents, err := grant(prefix, operation).Documents(provider)
				isUnsupported := storage.CodeOf(err) == storage.Unsupported
				if isUnsupported {
					require.ErrorContains(t, err, string(operation))
					continue
				}
				require.NoError(t, err, "%s %s", provider, operation)
				for _, document := range documents {
					require.NotEmpty(t, document.Use)
					requireForm(t, provider, document)
				}
			}
		}
	}
}

// Documents fails with Unsupported for a directory bucket of S3, whose policies have actions of their own. For MinIO,
// the same name is that of an ordinary bucket.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-express-security-iam-identity-policies.html
func TestDocumentsOfADirectoryBucket(t *testing.T) {
	directoryBucket := permissions.Grant{
		Operations: []permissions.Operation{"download"},
		Bucket:     "photos--use1-az4--x-s3",
	}

	_, err := directoryBucket.Documents(permissions.AWS)
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, "s3express:CreateSession")

	_, err = directoryBucket.Documents(permissions.MinIO)
	require.NoError(t, err)
}

// requireForm checks that a document has the form that its provider documents: only known fields, and values of
// the right kind.
func requireForm(t *testing.T, p permissions.Provider, d permissions.Document) {
	t.Helper()
	switch {
	case p == permissions.AWS || p == permissions.MinIO:
		form := parseForm[amazonForm](t, d.Text)
		require.Equal(t, "2012-10-17", form.Version)
		require.NotEmpty(t, form.Statement)
		for _, s := range form.Statement {
			require.Equal(t, "Allow", s.Effect)
			require.NotEmpty(t, s.Action)
			require.Regexp(t, `^(\*|arn:aws:(s3:::photos(/(users/)?\*)?|kms:.*))$`, s.Resource)
			for _, action := range s.Action {
				require.Regexp(t, `^(s3|kms):[A-Z][A-Za-z]+$`, action)
			}
		}

	case d.Name == "role" && p == permissions.Google:
		form := parseForm[googleRoleForm](t, d.Text)
		require.Regexp(t, `^[a-zA-Z0-9_.]{3,64}$`, form.Title) // it is the id, too
		for _, permission := range form.Permissions {
			require.Regexp(t, `^(storage|iam)\.[a-zA-Z]+\.[a-zA-Z]+$`, permission)
		}

	case d.Name == "binding": // of Google
		form := parseForm[googleBindingForm](t, d.Text)
		require.Regexp(t, `^projects/PROJECT/roles/[a-zA-Z0-9_.]{3,64}$`, form.Role)
		require.Equal(t, []string{"MEMBER"}, form.Members)

	case d.Name == "role": // of Azure
		form := parseForm[azureRoleForm](t, d.Text)
		require.True(t, form.IsCustom)
		require.Equal(t, []string{"/subscriptions/SUBSCRIPTION"}, form.AssignableScopes)
		for _, action := range slices.Concat(form.Actions, form.DataActions) {
			require.Regexp(t, `^Microsoft\.Storage/storageAccounts/blobServices/[A-Za-z/]+$`, action)
		}
		for _, action := range form.DataActions {
			require.Contains(t, action, "/containers/blobs/")
		}

	case d.Name == "condition": // of Azure
		require.Regexp(t, azureConditionForm, d.Text)

	default: // the parameters of a shared access signature of Azure
		require.Regexp(t, `^(sr=c|sr=d&sdd=1|ss=b&srt=s?c?o?)&sp=r?a?c?w?d?x?y?l?t?m?e?o?p?i?$`, d.Text)
	}
}

// azureConditionForm is the form of
// https://learn.microsoft.com/azure/storage/blobs/storage-auth-abac-examples. Its groups are the prefix of the path of
// an object, and the prefix of a listing.
var azureConditionForm = regexp.MustCompile(
	`^\(\n \(\n  !\(ActionMatches\{'[A-Za-z./]+'\}( AND NOT SubOperationMatches\{'Blob\.List'\})?\)` +
		`(\n  AND\n  !\(ActionMatches\{'[A-Za-z./]+'\}( AND NOT SubOperationMatches\{'Blob\.List'\})?\))*` +
		`\n \)\n OR\n \(\n  @Resource\[Microsoft\.Storage/storageAccounts/blobServices/containers:name\] StringEquals 'photos'` +
		`\n  AND\n  @Resource\[Microsoft\.Storage/storageAccounts/blobServices/containers/blobs:path\] StringStartsWith '(?P<path>[^']*)'\n \)\n\)` +
		`(\nAND\n\(\n \(\n  !\(ActionMatches\{'[A-Za-z./]+/blobs/read'\} AND SubOperationMatches\{'Blob\.List'\}\)` +
		`\n \)\n OR\n \(\n  @Resource\[Microsoft\.Storage/storageAccounts/blobServices/containers:name\] StringEquals 'photos'` +
		`\n  AND\n  @Request\[Microsoft\.Storage/storageAccounts/blobServices/containers/blobs:prefix\] StringStartsWith '(?P<listing>[^']*)'\n \)\n\))?$`,
)

// The ARNs in a policy of AWS name the partition of the grant's Region.
func TestDocumentsNameThePartition(t *testing.T) {
	tests := []struct {
		region string
		want   string
	}{
		{region: "", want: "aws"},
		{region: "eu-west-1", want: "aws"},
		{region: "cn-north-1", want: "aws-cn"},
		{region: "us-gov-west-1", want: "aws-us-gov"},
		{region: "us-isob-east-1", want: "aws-iso-b"},
		{region: "eusc-de-east-1", want: "aws-eusc"},
	}
	for _, tt := range tests {
		t.Run(tt.region, func(t *testing.T) {
			downloads := grant("", "download")
			downloads.Region = tt.region
			documents, err := downloads.Documents(permissions.AWS)
			require.NoError(t, err)

			statement := parseForm[amazonForm](t, documents[0].Text).Statement[0]
			require.Equal(t, "arn:"+tt.want+":s3:::photos/*", statement.Resource)
		})
	}
}

// A policy of AWS permits encryption with the grant's KMSKey, and with no other key.
func TestDocumentsOfAKMSKey(t *testing.T) {
	documents, err := grant("", "upload-encrypted").Documents(permissions.AWS)
	require.NoError(t, err)

	// The first statement is about the objects, the second about the key.
	keyStatement := parseForm[amazonForm](t, documents[0].Text).Statement[1]
	require.Equal(t, someKey, keyStatement.Resource)
	require.Equal(t, []string{"kms:GenerateDataKey"}, keyStatement.Action)
}

// For AWS, Documents fails with InvalidArgument if KMSKey is not the ARN of one key.
func TestDocumentsRefuseKMSKey(t *testing.T) {
	notOneKey := []string{
		"",
		"*",
		"alias/x",
		"arn:aws:kms:eu-west-1:111122223333:alias/x",
		someKey + "*", // several keys
		"arn:aws:kms:*:111122223333:key/a",
	}
	for _, key := range notOneKey {
		t.Run(key, func(t *testing.T) {
			const prefix = "" // the whole bucket
			encryptedUploads := grant(prefix, "upload-encrypted")
			encryptedUploads.KMSKey = key

			_, err := encryptedUploads.Documents(permissions.AWS)
			require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
			require.ErrorContains(t, err, "KMSKey must be the ARN of a key")
		})
	}
}

// For Google, Documents returns four documents: a role and a binding for the bucket, and a role and a binding for the
// service account that signs.
func TestDocumentsOfGoogle(t *testing.T) {
	documents, err := grant("users/", "download", "sign").Documents(permissions.Google)
	require.NoError(t, err)
	require.Len(t, documents, 4)

	bucketBinding := parseForm[googleBindingForm](t, documents[1].Text)
	require.NotNil(t, bucketBinding.Condition)
	signRole := parseForm[googleRoleForm](t, documents[2].Text)
	require.Equal(t, []string{"iam.serviceAccounts.signBlob"}, signRole.Permissions)
	signBinding := documents[3]
	require.Contains(t, signBinding.Use, "service account")
}

// For Google, the binding for listing buckets is one of the project.
func TestDocumentsOfGoogleProject(t *testing.T) {
	documents, err := grant("", "list-buckets").Documents(permissions.Google)
	require.NoError(t, err)
	require.Contains(t, documents[1].Use, "project")
}

// For Azure, Documents has a role for the container, the condition of that role, and a role for the account.
func TestDocumentsOfAzureRoles(t *testing.T) {
	documents, err := grant("users/", "download", "sign").Documents(permissions.Azure)
	require.NoError(t, err)
	require.Len(t, documents, 3)
	containerRole := documents[0]
	condition := documents[1]
	accountRole := documents[2]

	require.Regexp(t, `/blobServices/default/containers/photos$`, containerRole.Use)
	require.Equal(t, "condition", condition.Name)
	require.Regexp(t, `/storageAccounts/ACCOUNT$`, accountRole.Use)
	require.Empty(t, parseForm[azureRoleForm](t, accountRole.Text).DataActions)
}

// If create-bucket is requested, Documents for AzureSAS describes a signature of the account, for containers and
// objects.
func TestDocumentsOfAzureSignatures(t *testing.T) {
	documents, err := grant("", "create-bucket", "upload").Documents(permissions.AzureSAS)
	require.NoError(t, err)
	require.Equal(t, "ss=b&srt=co&sp=cw", documents[0].Text)
}

// If a provider cannot permit an operation, Documents fails with Unsupported, and the error names only that
// operation.
func TestDocumentsNameWhatAProviderCannotDo(t *testing.T) {
	tests := map[string]struct {
		provider   permissions.Provider
		prefix     string
		operations []permissions.Operation
		want       string
	}{
		"an operation without support": {
			provider:   permissions.MinIO,
			operations: []permissions.Operation{"list", "upload-public"},
			want:       "upload-public",
		},
		"several": {
			provider:   permissions.Azure,
			operations: []permissions.Operation{"create-bucket-lock", "upload-public"},
			want:       "create-bucket-lock, upload-public",
		},
		"an operation of the account's key": {
			provider:   permissions.Azure,
			operations: []permissions.Operation{"update-bucket-public"},
			want:       "update-bucket-public",
		},
		"an operation on the bucket": {
			provider:   permissions.Google,
			prefix:     "users/",
			operations: []permissions.Operation{"bucket-info"},
			want:       "bucket-info",
		},
		"uploads of the whole bucket": {
			provider:   permissions.AWS,
			prefix:     "users/",
			operations: []permissions.Operation{"list", "list-uploads"},
			want:       "list-uploads",
		},
		"parts outside of the prefix": {
			provider:   permissions.Google,
			prefix:     "users/",
			operations: []permissions.Operation{"open-upload"},
			want:       "open-upload",
		},
		"an action of Azure's on containers": {
			provider:   permissions.Azure,
			prefix:     "users/",
			operations: []permissions.Operation{"remove-all"},
			want:       "remove-all",
		},
		"an operation that needs no policy": {
			provider:   permissions.AWS,
			operations: []permissions.Operation{"sign"},
			want:       "sign",
		},
		"an operation that no signature signs": {
			provider:   permissions.AzureSAS,
			operations: []permissions.Operation{"sign"},
			want:       "sign",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := grant(tt.prefix, tt.operations...).Documents(tt.provider)
			require.Equal(t, storage.Unsupported, storage.CodeOf(err), err)
			require.ErrorContains(t, err, ": "+tt.want)
			require.NotContains(t, err.Error(), "list,")
		})
	}
}

// Documents fails with InvalidArgument for a Grant without operations or a bucket, and for names that a policy would
// take for patterns.
func TestDocumentsRefuseInvalidGrant(t *testing.T) {
	list := []permissions.Operation{"list"}
	tests := []struct {
		name  string
		grant permissions.Grant
	}{
		{name: "no operations", grant: permissions.Grant{Bucket: "photos"}},
		{
			name:  "unknown operation",
			grant: permissions.Grant{Operations: []permissions.Operation{"fly"}, Bucket: "photos"},
		},
		{name: "no bucket", grant: permissions.Grant{Operations: list}},
		{name: "bucket with a star", grant: permissions.Grant{Operations: list, Bucket: "pho*"}},
		{name: "bucket with a path", grant: permissions.Grant{Operations: list, Bucket: "photos/a"}},
		{name: "bucket with a variable", grant: permissions.Grant{Operations: list, Bucket: "${aws:username}"}},
		{name: "bucket with a quote", grant: permissions.Grant{Operations: list, Bucket: `photos"`}},
		{name: "bucket with a line break", grant: permissions.Grant{Operations: list, Bucket: "photos\n"}},
		{
			name:  "long prefix",
			grant: permissions.Grant{Operations: list, Bucket: "photos", Prefix: strings.Repeat("k", 1025)},
		},
		{
			name:  "prefix that is not UTF-8",
			grant: permissions.Grant{Operations: list, Bucket: "photos", Prefix: "a\xff/"},
		},
		{
			name:  "prefix with two dots",
			grant: permissions.Grant{Operations: list, Bucket: "photos", Prefix: "a/../b/"},
		},
		{
			name:  "prefix with a control character",
			grant: permissions.Grant{Operations: list, Bucket: "photos", Prefix: "a\n/"},
		},
	}
	for _, provider := range permissions.Providers() {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s/%s", provider, tt.name), func(t *testing.T) {
				_, err := tt.grant.Documents(provider)
				require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
			})
		}
	}
}

// Documents fails with InvalidArgument for an unknown provider.
func TestDocumentsRefuseUnknownProvider(t *testing.T) {
	_, err := grant("", "list").Documents("ibm")
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
}
