package azure_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/foldermarker"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/azure"
	"github.com/omnibucket/storage/providers/internal/testing/documented"
)

// accountSAS returns the query of a shared access signature for the account, with all permissions
// that these tests need.
func (s *azuriteServer) accountSAS(t *testing.T) url.Values {
	t.Helper()
	address, err := s.raw.GetSASURL(sas.AccountResourceTypes{Service: true, Container: true, Object: true},
		sas.AccountPermissions{
			Read:   true,
			Write:  true,
			Delete: true,
			List:   true,
			Add:    true,
			Create: true,
			Tag:    true,
		}, time.Now().Add(24*time.Hour), nil)
	require.NoError(t, err)
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u.Query()
}

// newSASExchanger returns a function for signed URLs, because Azurite accepts no user delegation
// keys. The function gets the query of a URL that was signed with such a key. It returns nil unless
// the SDK makes the same signature with that key. Otherwise, it returns a query with the same
// values, signed with the account's key. The new query may be used without TLS, because Azurite
// runs without TLS.
func (s *azuriteServer) newSASExchanger(t *testing.T) func(container, key string, query url.Values) url.Values {
	t.Helper()
	credential, err := service.NewSharedKeyCredential("devstoreaccount1", azuriteKey)
	require.NoError(t, err)
	keyService, err := service.NewClient("https://devstoreaccount1.invalid/", fixedToken("token"),
		&service.ClientOptions{ClientOptions: azcore.ClientOptions{
			Transport: handlerTransport{documented.AzureKeys()},
		}})
	require.NoError(t, err)

	return func(container, key string, signed url.Values) url.Values {
		// Check the signature with the user delegation key.
		values := blobSignatureValues(container, key, signed)
		signature, err := signAsDelegated(keyService, values, signed)
		if err != nil || signature != signed.Get("sig") {
			return nil
		}

		// Sign the same values with the account's key.
		values.Protocol = sas.ProtocolHTTPSandHTTP
		granted, err := values.SignWithSharedKey(credential)
		if err != nil {
			return nil
		}
		// The query is valid, because the SDK has encoded it.
		query, _ := url.ParseQuery(granted.Encode())
		return query
	}
}

// blobSignatureValues returns what the query of a signed URL grants, as the SDK signs it.
func blobSignatureValues(container, key string, signed url.Values) sas.BlobSignatureValues {
	// A time that cannot be parsed becomes the zero time. The signature then differs from the query's.
	start, _ := time.Parse(time.RFC3339, signed.Get("st"))
	expiry, _ := time.Parse(time.RFC3339, signed.Get("se"))
	return sas.BlobSignatureValues{
		Version:            signed.Get("sv"),
		Protocol:           sas.Protocol(signed.Get("spr")),
		StartTime:          start,
		ExpiryTime:         expiry,
		Permissions:        signed.Get("sp"),
		ContainerName:      container,
		BlobName:           key,
		ContentDisposition: signed.Get("rscd"),
		ContentType:        signed.Get("rsct"),
		EncryptionScope:    signed.Get("ses"),
	}
}

// signAsDelegated returns the SDK's signature of values, with the user delegation key that the
// signed query names. It fails with PermissionDenied if the query is valid before the key begins or
// after the key expires.
func signAsDelegated(
	keyService *service.Client, values sas.BlobSignatureValues, signed url.Values,
) (string, error) {
	keyStart := signed.Get("skt")
	keyExpiry := signed.Get("ske")
	// All times have the same form, so their texts sort as the times do.
	if signed.Get("st") < keyStart || signed.Get("se") > keyExpiry {
		return "", storage.PermissionDenied
	}

	info := service.KeyInfo{Start: &keyStart, Expiry: &keyExpiry}
	key, err := keyService.GetUserDelegationCredential(context.Background(), info, nil)
	if err != nil {
		return "", err
	}
	query, err := values.SignWithUserDelegation(key)
	if err != nil {
		return "", err
	}
	return query.Signature(), nil
}

// signWithKey returns a function that signs a request r with the key of the emulator's account. The
// SDK cannot sign a given request, so it makes a request of its own. A requestReplacer copies r
// into that request. The transport does not send the request, but copies its signature to r.
func (s *azuriteServer) signWithKey(t *testing.T) func(r *http.Request) {
	t.Helper()
	credential, err := service.NewSharedKeyCredential("devstoreaccount1", azuriteKey)
	require.NoError(t, err)
	client, err := service.NewClientWithSharedKeyCredential(s.endpoint, credential,
		&service.ClientOptions{ClientOptions: azcore.ClientOptions{
			PerCallPolicies: []policy.Policy{requestReplacer{}},
			Transport:       handlerTransport{http.HandlerFunc(copySignature)},
		}})
	require.NoError(t, err)
	return func(r *http.Request) {
		// The error of this call does not matter, because the response is empty.
		_, _ = client.GetProperties(context.WithValue(r.Context(), requestKey{}, r), nil)
	}
}

// A requestKey is the key in a context for the request that the SDK must sign.
type requestKey struct{}

// copySignature takes the request that the SDK has signed, and copies the signature, its date and its id to the request
// in the context.
func copySignature(_ http.ResponseWriter, signed *http.Request) {
	r, _ := signed.Context().Value(requestKey{}).(*http.Request)
	for name, values := range signed.Header {
		if name == "Authorization" || strings.HasPrefix(name, "X-Ms-") {
			r.Header[name] = values
		}
	}
}

// A requestReplacer is a policy of the SDK. It replaces the SDK's request by the request in the
// context, and the SDK signs that one.
type requestReplacer struct{}

// Do gives r the method, URL and headers of the request in r's context, and passes r on.
func (requestReplacer) Do(r *policy.Request) (*http.Response, error) {
	raw := r.Raw()
	source, _ := raw.Context().Value(requestKey{}).(*http.Request)
	raw.Method = source.Method
	raw.URL = source.URL
	raw.Header = source.Header.Clone()
	raw.Header["Content-MD5"] = source.Header["Content-Md5"] // as the SDK spells it
	if source.ContentLength > 0 {
		raw.Header.Set("Content-Length", strconv.FormatInt(source.ContentLength, 10))
	}
	return r.Next()
}

// A handlerTransport sends the requests of the SDK to a handler in this process.
type handlerTransport struct{ http.Handler }

// Do calls the handler, and returns its response.
func (d handlerTransport) Do(r *http.Request) (*http.Response, error) {
	received := r.Clone(r.Context())
	// The SDK does not spell the names of headers as a server does.
	for name, values := range r.Header {
		received.Header[http.CanonicalHeaderKey(name)] = values
	}
	response := httptest.NewRecorder()
	d.ServeHTTP(response, received)
	return response.Result(), nil
}

// A fixedToken is a credential whose token is its own text.
type fixedToken string

// GetToken returns the credential's own text, which is valid for an hour.
func (t fixedToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(t), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// newScanner returns a scanner that adds its verdict to the tags of a blob, unless the blob would
// then have too many tags.
func (s *azuriteServer) newScanner(t *testing.T) func(container, key string) {
	t.Helper()
	const maxTags = 10
	return func(container, key string) {
		// The context of the request that wrote the blob may be canceled already, so it is not used
		// here.
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		blob := s.raw.NewContainerClient(container).NewBlobClient(key)
		current, err := blob.GetTags(ctx, nil)
		if err != nil {
			return // another client has removed it
		}

		tags := maps.Clone(documented.AzureVerdict)
		for _, tag := range current.BlobTagSet {
			tags[*tag.Key] = *tag.Value
		}
		if len(tags) <= maxTags {
			// SetTags fails if another client has removed the blob.
			_, _ = blob.SetTags(ctx, tags, nil)
		}
	}
}

// openPeculiarAccount opens a new container of Azurite, behind a server that gives the account this
// behavior. The returned Config opens the container again.
func openPeculiarAccount(
	t *testing.T, behavior documented.Behavior, opts ...storage.OpenOption,
) (storage.Bucket, azure.Config) {
	t.Helper()
	emulator, handler, path, closeIdle := startEmulator(t)
	t.Cleanup(closeIdle)
	server := httptest.NewServer(documented.Before(handler, behavior))
	t.Cleanup(server.Close)

	config := azure.Config{Bucket: emulator.container(t), Endpoint: server.URL + path}
	bucket, err := azure.Open(t.Context(), config, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })
	return bucket, config
}

// Upload and Copy over an archived object fail with Archived. With IfAbsent, they fail with PreconditionFailed. After
// the object is removed, Upload succeeds. https://learn.microsoft.com/azure/storage/blobs/archive-blob.
func TestUploadOverArchived(t *testing.T) {
	bucket, _ := openPeculiarAccount(t, documented.AzureArchive())
	upload := func(ctx context.Context, opts ...storage.UploadOption) error {
		const size = 3 << 20 // three parts
		_, err := bucket.Upload(ctx, "a", strings.NewReader(strings.Repeat("x", size)), opts...)
		return err
	}
	copySource := func(ctx context.Context, opts ...storage.CopyOption) error {
		_, err := storage.Copy(ctx, bucket, "a", bucket, "source", opts...)
		return err
	}
	archive := storage.WithStorageClass("Archive")
	inParts := storage.WithPartSize(1 << 20)
	require.NoError(t, upload(t.Context(), archive))
	_, err := bucket.Upload(t.Context(), "source", strings.NewReader("x"))
	require.NoError(t, err)

	tests := []struct {
		name string
		call func(ctx context.Context) error
		want storage.Code
	}{
		{
			name: "Upload",
			call: func(ctx context.Context) error { return upload(ctx, archive) },
			want: storage.Archived,
		},
		{
			name: "Upload if absent",
			call: func(ctx context.Context) error { return upload(ctx, storage.IfAbsent()) },
			want: storage.PreconditionFailed,
		},
		{
			name: "in parts",
			call: func(ctx context.Context) error { return upload(ctx, inParts) },
			want: storage.Archived,
		},
		{
			name: "in parts, if absent",
			call: func(ctx context.Context) error { return upload(ctx, inParts, storage.IfAbsent()) },
			want: storage.PreconditionFailed,
		},
		{
			name: "Copy",
			call: func(ctx context.Context) error { return copySource(ctx) },
			want: storage.Archived,
		},
		{
			name: "Copy if absent",
			call: func(ctx context.Context) error { return copySource(ctx, storage.IfAbsent()) },
			want: storage.PreconditionFailed,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.call(t.Context())
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			if tt.want == storage.Archived {
				require.ErrorContains(t, err, "remove")
			}
		})
	}

	require.NoError(t, bucket.Remove(t.Context(), "a"))
	require.NoError(t, upload(t.Context(), storage.IfAbsent()))
}

// Under a SAS expiration policy, Azure refuses a signed URL that lacks a start or lasts too long.
// Copies and open uploads still succeed.
// https://learn.microsoft.com/azure/storage/common/sas-expiration-policy
func TestSignedURLWithSASPolicy(t *testing.T) {
	const limit = 2 * time.Hour
	bucket, _ := openPeculiarAccount(t, documented.AzureSASPolicy(limit))
	ctx := t.Context()
	_, err := bucket.Upload(ctx, "a", strings.NewReader("text"))
	require.NoError(t, err)

	// A signature is valid from 15 minutes before it is made. These minutes count towards the
	// limit, as docs/stores.md says.
	tests := []struct {
		ttl        time.Duration
		wantStatus int
	}{
		{ttl: time.Minute, wantStatus: http.StatusOK},
		{ttl: limit - 15*time.Minute, wantStatus: http.StatusOK},
		{ttl: limit, wantStatus: http.StatusForbidden},
	}
	for _, tt := range tests {
		signedURL, err := bucket.SignedDownloadURL(ctx, "a", storage.WithTTL(tt.ttl))
		require.NoError(t, err)
		require.Equal(t, tt.wantStatus, wiretest.NetHTTP(t, signedURL, "").Status, "%v", tt.ttl)
	}

	// A URL that has no start time is refused.
	signedURL, err := bucket.SignedDownloadURL(ctx, "a", storage.WithTTL(time.Minute))
	require.NoError(t, err)
	withoutStart := removeParameter(t, signedURL, "st")
	require.Equal(t, http.StatusForbidden, wiretest.NetHTTP(t, withoutStart, "").Status)

	// The service reads the source of a copy by a signed URL, and this URL obeys the policy, too.
	_, err = storage.Copy(ctx, bucket, "b", bucket, "a")
	require.NoError(t, err)
	uploadTwoParts(t, bucket, "c")
}

// removeParameter returns a signed URL without one of its query parameters.
func removeParameter(t *testing.T, signedURL *storage.SignedURL, name string) *storage.SignedURL {
	t.Helper()
	address, err := url.Parse(signedURL.URL)
	require.NoError(t, err)
	query := address.Query()
	query.Del(name)
	address.RawQuery = query.Encode()
	return &storage.SignedURL{Method: http.MethodGet, URL: address.String()}
}

// uploadTwoParts stores "one two" by an open upload of two parts, and reads it back.
func uploadTwoParts(t *testing.T, bucket storage.Bucket, key string) {
	t.Helper()
	u := beginUpload(t, bucket, key)
	for i, text := range []string{"one ", "two"} {
		_, err := u.PutPart(t.Context(), i+1, strings.NewReader(text))
		require.NoError(t, err)
	}
	_, err := u.Complete(t.Context())
	require.NoError(t, err)

	data, _, err := storage.ReadAll(t.Context(), bucket, key)
	require.NoError(t, err)
	require.Equal(t, "one two", string(data))
}

// No version of an upload's parts is left after the upload is completed or aborted, so the
// container can be deleted. https://learn.microsoft.com/azure/storage/blobs/versioning-overview
func TestCompletePartsLeavesNoVersions(t *testing.T) {
	account := documented.AzureVersions(needAzurite(t).accountSAS(t))
	bucket, config := openPeculiarAccount(t, account, storage.WithVersioning(true))

	// One upload is completed. Another one is aborted, after the first of its parts became a noncurrent version.
	uploadTwoParts(t, bucket, "a")
	aborted := beginUpload(t, bucket, "b")
	for range 2 {
		_, err := aborted.PutPart(t.Context(), 1, strings.NewReader("x"))
		require.NoError(t, err)
	}
	require.NoError(t, aborted.Abort(t.Context()))

	// The parts are blobs with a prefix that is reserved for this package.
	for entry, err := range storage.Versions(t.Context(), bucket, storage.WithPrefix(".omnibucket//")) {
		require.NoError(t, err)
		require.Fail(t, "no version of a part may stay", entry.Key)
	}

	// Remove the versions of "a", which are the only ones that are left.
	for entry, err := range storage.Versions(t.Context(), bucket) {
		require.NoError(t, err)
		require.NoError(t, bucket.Remove(t.Context(), entry.Key, storage.WithVersion(entry.Version)))
	}

	// DeleteBucket refuses a container that has versions.
	name := config.Bucket
	config.Bucket = ""
	service, err := azure.NewService(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	require.NoError(t, service.DeleteBucket(t.Context(), name))

	// The cleanup of the test deletes the container, so it must exist.
	_, err = service.CreateBucket(t.Context(), name)
	require.NoError(t, err)
}

// A service that is older than the API version of the driver refuses every request. The error names
// the parameter api_version=, with which the requests succeed.
// https://learn.microsoft.com/rest/api/storageservices/versioning-for-the-azure-storage-services
func TestConfigAPIVersionOfOlderService(t *testing.T) {
	const oldVersion = "2019-07-07"
	bucket, config := openPeculiarAccount(t, documented.AzureOlder(oldVersion))

	_, err := bucket.Upload(t.Context(), "a", strings.NewReader("x"))
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
	require.ErrorContains(t, err, "api_version=")

	// Open the bucket again, with the version of the service.
	config.APIVersion = oldVersion
	bucketOfVersion, err := azure.Open(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucketOfVersion)) })

	_, err = bucketOfVersion.Upload(t.Context(), "a", strings.NewReader("x"))
	require.NoError(t, err)
	uploadTwoParts(t, bucketOfVersion, "b")
}

// On an account with a hierarchical namespace, each call either succeeds, or fails with an error
// that says what the account lacks.
// https://learn.microsoft.com/azure/storage/blobs/data-lake-storage-known-issues.
func TestHierarchicalNamespaceAccount(t *testing.T) {
	bucket, _ := openPeculiarAccount(t, documented.AzureHierarchical())
	upload := func(ctx context.Context, key string, opts ...storage.UploadOption) error {
		_, err := bucket.Upload(ctx, key, strings.NewReader("text"), opts...)
		return err
	}

	// Without directories, listings have the same order as in other accounts.
	require.NoError(t, upload(t.Context(), "top"))
	require.Equal(t, []string{"top"}, foldermarker.Keys(t, bucket))

	// This object needs two directories.
	require.NoError(t, upload(t.Context(), "photos/2026/a.jpg"))
	data, _, err := storage.ReadAll(t.Context(), bucket, "photos/2026/a.jpg")
	require.NoError(t, err)
	require.Equal(t, "text", string(data))
	exists, err := bucket.Exists(t.Context(), "photos")
	require.NoError(t, err)
	require.False(t, exists, "a directory must not be an object")

	refused := []struct {
		name string
		call func(ctx context.Context) error
	}{
		{
			name: "a listing with a directory",
			call: func(ctx context.Context) error {
				_, err := storage.ListPage(ctx, bucket, "")
				return err
			},
		},
		{
			name: "Upload onto a directory",
			call: func(ctx context.Context) error { return upload(ctx, "photos") },
		},
		{
			name: "Copy onto a directory",
			call: func(ctx context.Context) error {
				_, err := storage.Copy(ctx, bucket, "photos/2026", bucket, "top")
				return err
			},
		},
		{
			name: "Remove of a directory",
			call: func(ctx context.Context) error { return bucket.Remove(ctx, "photos") },
		},
		{
			name: "Upload with tags",
			call: func(ctx context.Context) error {
				return upload(ctx, "tagged", storage.WithTags(map[string]string{"a": "b"}))
			},
		},
		{
			name: "Tags",
			call: func(ctx context.Context) error {
				_, err := storage.Tags(ctx, bucket, "top")
				return err
			},
		},
	}
	for _, tt := range refused {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.call(t.Context())
			require.Equal(t, storage.Unsupported, storage.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, "hierarchical namespace")
		})
	}
	require.NoError(t, bucket.Remove(t.Context(), "photos/2026/a.jpg"))
}

// An account with directories can be listed in any order with Config.HierarchicalNamespace.
func TestHierarchicalNamespaceAccountListed(t *testing.T) {
	_, config := openPeculiarAccount(t, documented.AzureHierarchical())
	config.HierarchicalNamespace = true
	bucket, err := azure.Open(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })

	for _, key := range []string{"top", "photos/b"} {
		_, err := bucket.Upload(t.Context(), key, strings.NewReader("x"))
		require.NoError(t, err)
	}
	require.ElementsMatch(t, []string{"photos/b", "top"}, foldermarker.Keys(t, bucket, storage.WithAnyOrder()))
}

// An account for premium block blobs refuses access tiers with InvalidArgument, and otherwise
// behaves like other accounts.
// https://learn.microsoft.com/azure/storage/blobs/access-tiers-overview
func TestPremiumAccount(t *testing.T) {
	bucket, _ := openPeculiarAccount(t, documented.AzurePremium())

	// Calls without an access tier succeed.
	_, err := bucket.Upload(t.Context(), "a", strings.NewReader("text"))
	require.NoError(t, err)
	_, err = storage.Copy(t.Context(), bucket, "d", bucket, "a")
	require.NoError(t, err)
	uploadTwoParts(t, bucket, "c")

	// Calls with a tier, such as "Cool" or "Archive", are refused.
	refused := []struct {
		name string
		call func(ctx context.Context) error
	}{
		{
			name: "Upload",
			call: func(ctx context.Context) error {
				_, err := bucket.Upload(ctx, "b", strings.NewReader("text"), storage.WithStorageClass("Cool"))
				return err
			},
		},
		{
			name: "Copy",
			call: func(ctx context.Context) error {
				_, err := storage.Copy(ctx, bucket, "b", bucket, "a", storage.WithStorageClass("Cool"))
				return err
			},
		},
		{
			name: "in parts",
			call: func(ctx context.Context) error {
				const partSize = 1 << 20
				_, err := bucket.Upload(ctx, "b", strings.NewReader(strings.Repeat("x", 3*partSize)),
					storage.WithPartSize(partSize), storage.WithStorageClass("Archive"))
				return err
			},
		},
	}
	for _, tt := range refused {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.call(t.Context())
			require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, "access tier")
		})
	}
}
