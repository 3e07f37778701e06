package recording_test

import (
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/recorded"
	"github.com/omnibucket/storage/internal/testing/recording"
)

const (
	testSecret = "Hidden&Secret/of+the-Account=4711"
	testBucket = "omnibucket-certify-own-suffix"
)

// A message is a request and its response. "SECRET" is replaced by the secret.
type message struct {
	method, url string // default GET
	header      http.Header
	body        string
	status      int // default 200
	received    http.Header
	document    string
}

// with returns the message with the secret in each place of "SECRET".
func (m *message) with(secret string) message {
	result := *m
	result.url = strings.ReplaceAll(m.url, "SECRET", secret)
	result.header = headerWith(m.header, secret)
	result.body = strings.ReplaceAll(m.body, "SECRET", secret)
	result.received = headerWith(m.received, secret)
	result.document = strings.ReplaceAll(m.document, "SECRET", secret)
	return result
}

// headerWith returns a header with the secret in each place of "SECRET".
func headerWith(header http.Header, secret string) http.Header {
	result := http.Header{}
	for name, values := range header {
		for _, value := range values {
			result.Add(name, strings.ReplaceAll(value, "SECRET", secret))
		}
	}
	return result
}

// A responder is a RoundTripper that reads the request's body and returns its own response.
type responder func(r *http.Request) *http.Response

func (f responder) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		return f(r), nil
	}
	_, err := io.Copy(io.Discard, r.Body)
	return f(r), err
}

// send makes a recorder record a message.
func send(t *testing.T, r *recording.Recorder, m message) {
	t.Helper()
	if m.method == "" {
		m.method = http.MethodGet
	}
	if m.status == 0 {
		m.status = http.StatusOK
	}
	transport := r.Transport(responder(func(req *http.Request) *http.Response {
		return &http.Response{
			StatusCode:    m.status,
			Request:       req,
			Header:        m.received,
			ContentLength: int64(len(m.document)),
			Body:          io.NopCloser(strings.NewReader(m.document)),
		}
	}))
	req, err := http.NewRequestWithContext(t.Context(), m.method, m.url, strings.NewReader(m.body))
	require.NoError(t, err)
	req.Header = m.header
	resp, err := transport.RoundTrip(req)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
}

const (
	amazonObject = "https://" + testBucket + ".s3.eu-west-1.amazonaws.com/a"
	minioObject  = "https://127.0.0.1:9000/" + testBucket + "/a"
	googleObject = "https://storage.googleapis.com/storage/v1/b/" + testBucket + "/o/a"
	googleUpload = "https://storage.googleapis.com/upload/storage/v1/b/" + testBucket + "/o?uploadType=resumable"
	googleXML    = "https://storage.googleapis.com/" + testBucket + "/a"
	azureObject  = "https://acc0untname.blob.core.windows.net/" + testBucket + "/a"
	azurite      = "http://127.0.0.1:10000/acc0untname/" + testBucket + "/a"
)

// hidingPlaces are messages with a secret that no name or header marks as one. The secret must be replaced
// nevertheless.
var hidingPlaces = []struct {
	name    string
	cloud   string // scheme of the provider's addresses
	message message
}{
	{
		name:  "a key id in an authorization",
		cloud: "s3",
		message: message{
			url: amazonObject,
			header: http.Header{"Authorization": {
				"AWS4-HMAC-SHA256 Credential=SECRET/20260101/eu-west-1/s3, Signature=00112233",
			}},
		},
	},
	{
		name:  "a signature in an authorization",
		cloud: "s3",
		message: message{
			url: minioObject,
			header: http.Header{"Authorization": {
				"AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/s3, Signature=SECRET",
			}},
		},
	},
	{
		name:  "an authorization in two headers",
		cloud: "s3",
		message: message{
			url: amazonObject,
			header: http.Header{"Authorization": {
				"AWS4-HMAC-SHA256", "Credential=SECRET/20260101/eu-west-1/s3",
			}},
		},
	},
	{
		name:    "a session token",
		cloud:   "s3",
		message: message{url: amazonObject, header: http.Header{"X-Amz-Security-Token": {"SECRET"}}},
	},
	{
		name:  "a customer's key",
		cloud: "s3",
		message: message{
			url:    amazonObject,
			header: http.Header{"X-Amz-Server-Side-Encryption-Customer-Key": {"SECRET"}},
		},
	},
	{
		name:  "the hash of a customer's key in a response",
		cloud: "s3",
		message: message{
			url:      amazonObject,
			received: http.Header{"X-Amz-Server-Side-Encryption-Customer-Key-Md5": {"SECRET"}},
		},
	},
	{
		name:  "the id of a KMS key",
		cloud: "s3",
		message: message{
			url:      amazonObject,
			received: http.Header{"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": {"SECRET"}},
		},
	},
	{
		name:  "a signed URL",
		cloud: "s3",
		message: message{
			url: amazonObject + "?X-Amz-Signature=SECRET&X-Amz-Credential=SECRET%2F20260101" +
				"&X-Amz-Security-Token=SECRET",
		},
	},
	{
		name:  "chunks with signatures",
		cloud: "s3",
		message: message{
			method: "PUT",
			url:    amazonObject,
			header: http.Header{"X-Amz-Content-Sha256": {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"}},
			// The hexadecimal digits are the beginning of the secret.
			body: "5;chunk-signature=48696464656e265365637265742f6f66\r\nhello\r\n" +
				"0;chunk-signature=48696464656e265365637265742f6f66\r\n" +
				"x-amz-trailer-signature:48696464656e265365637265742f6f66\r\n\r\n",
		},
	},
	{
		name:  "a field of a form",
		cloud: "s3",
		message: message{
			method: "POST",
			url:    minioObject,
			header: http.Header{"Content-Type": {"multipart/form-data; boundary=x"}},
			body:   "--x\r\nContent-Disposition: form-data; name=\"policy\"\r\n\r\nSECRET\r\n--x--\r\n",
		},
	},
	{
		name:  "what was signed, in an error",
		cloud: "s3",
		message: message{
			url:    amazonObject,
			status: 403,
			document: `<?xml version="1.0"?><Error><Code>SignatureDoesNotMatch</Code><Message>no</Message>` +
				`<AWSAccessKeyId>SECRET</AWSAccessKeyId><StringToSign>AWS4 SECRET</StringToSign>` +
				`<CanonicalRequest><![CDATA[GET /?x=SECRET]]></CanonicalRequest></Error>`,
		},
	},
	{
		name:  "an unknown element with attributes",
		cloud: "s3",
		message: message{
			url:    amazonObject,
			status: 400,
			document: `<Error xmlns="http://s3"><Code>X</Code><!-- SECRET -->` +
				`<s:New xmlns:s="u" of="SECRET"> SECRET </s:New></Error>`,
		},
	},
	{
		name:  "an owner",
		cloud: "s3",
		message: message{
			url: minioObject + "?list-type=2",
			document: `<ListBucketResult><Contents><Key>a</Key><Owner><ID>SECRET</ID>` +
				`<DisplayName>SECRET</DisplayName></Owner></Contents></ListBucketResult>`,
		},
	},
	{
		name:  "credentials in a document",
		cloud: "s3",
		message: message{
			method: "POST",
			url:    minioObject,
			document: `<AssumeRoleResponse><AssumeRoleResult><Credentials>` +
				`<SecretAccessKey>SECRET</SecretAccessKey><SessionToken>SECRET</SessionToken></Credentials>` +
				`<AssumedRoleUser><Arn>SECRET</Arn></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>`,
		},
	},
	{
		name:  "an account in a message",
		cloud: "s3",
		message: message{
			url:    amazonObject,
			status: 403,
			document: `<Error><Code>AccessDenied</Code>` +
				`<Message>User: arn:aws:iam::471147114711:user/SECRET is not authorized</Message></Error>`,
		},
	},
	{
		name:    "a cookie",
		cloud:   "s3",
		message: message{url: amazonObject, received: http.Header{"Set-Cookie": {"SECRET"}}},
	},

	{
		name:    "an OAuth token",
		cloud:   "gs",
		message: message{url: googleObject, header: http.Header{"Authorization": {"Bearer SECRET"}}},
	},
	{
		name:  "an HMAC key",
		cloud: "gs",
		message: message{
			url: googleXML,
			header: http.Header{"Authorization": {
				"GOOG4-HMAC-SHA256 Credential=SECRET/20260101/auto/storage/goog4_request, Signature=00112233",
			}},
		},
	},
	{
		name:  "a signed URL of Google",
		cloud: "gs",
		message: message{
			url: googleXML + "?X-Goog-Signature=SECRET&X-Goog-Credential=SECRET&GoogleAccessId=SECRET",
		},
	},
	{
		name:  "a project to bill",
		cloud: "gs",
		message: message{
			url:    googleObject + "?userProject=SECRET",
			header: http.Header{"X-Goog-User-Project": {"SECRET"}},
		},
	},
	{
		name:  "a key for an object",
		cloud: "gs",
		message: message{
			url: googleObject,
			header: http.Header{
				"X-Goog-Encryption-Key":             {"SECRET"},
				"X-Goog-Copy-Source-Encryption-Key": {"SECRET"},
			},
		},
	},
	{
		name:  "the address of a session",
		cloud: "gs",
		message: message{
			method: "POST",
			url:    googleUpload,
			received: http.Header{
				"Location":             {googleUpload + "&upload_id=SECRET"},
				"X-Guploader-Uploadid": {"SECRET"},
			},
		},
	},
	{
		name:    "a request to a session",
		cloud:   "gs",
		message: message{method: "PUT", url: googleUpload + "&upload_id=SECRET", body: "x"},
	},
	{
		name:  "fields of an object",
		cloud: "gs",
		message: message{
			url: googleObject,
			document: `{"kind":"storage#object","name":"a","bucket":"` + testBucket + `",` +
				`"selfLink":"SECRET","owner":{"entity":"user-SECRET"},"projectNumber":4711471147114711,` +
				`"customerEncryption":{"keySha256":"SECRET"},"new":{"field":"SECRET"}}`,
		},
	},
	{
		name:  "a resource with the headers of a read",
		cloud: "gs",
		message: message{
			url:      googleObject + "?alt=json",
			received: http.Header{"X-Goog-Generation": {"1"}},
			document: `{"kind":"storage#object","mediaLink":"SECRET"}`,
		},
	},
	{
		name:  "members of a policy",
		cloud: "gs",
		message: message{
			url: googleObject,
			document: `{"kind":"storage#policy",` +
				`"bindings":[{"role":"roles/x","members":["allUsers","user:SECRET"]}]}`,
		},
	},
	{
		name:  "an address in a message of Google",
		cloud: "gs",
		message: message{
			url:    googleObject,
			status: 403,
			document: `{"error":{"code":403,` +
				`"message":"robot@SECRET.iam.gserviceaccount.com does not have storage.objects.get access",` +
				`"errors":[{"debugInfo":"SECRET","message":"no","reason":"forbidden"}]}}`,
		},
	},
	{
		name:  "a batch",
		cloud: "gs",
		message: message{
			method: "POST",
			url:    googleXML,
			header: http.Header{"Content-Type": {"multipart/mixed; boundary=x"}},
			body: "--x\r\nContent-Type: application/http\r\n\r\n" +
				"DELETE /b HTTP/1.1\r\nAuthorization: Bearer SECRET\r\n\r\n--x--\r\n",
		},
	},

	{
		name:    "a shared access signature",
		cloud:   "azblob",
		message: message{url: azureObject + "?sv=2024-11-04&sig=SECRET&skoid=SECRET"},
	},
	{
		name:  "a signature in the address of a source",
		cloud: "azblob",
		message: message{
			method: "PUT",
			url:    azurite,
			header: http.Header{"X-Ms-Copy-Source": {
				"https://acc0untname.blob.core.windows.net/" + testBucket + "/b?sig=SECRET",
			}},
		},
	},
	{
		name:  "an authorization of a source",
		cloud: "azblob",
		message: message{
			method: "PUT",
			url:    azureObject,
			header: http.Header{"X-Ms-Copy-Source-Authorization": {"Bearer SECRET"}},
		},
	},
	{
		name:  "a shared key",
		cloud: "azblob",
		message: message{
			url:    azurite,
			header: http.Header{"Authorization": {"SharedKey acc0untname:SECRET"}},
		},
	},
	{
		name:    "a token",
		cloud:   "azblob",
		message: message{url: azureObject, header: http.Header{"Authorization": {"Bearer SECRET"}}},
	},
	{
		name:  "a key of a blob",
		cloud: "azblob",
		message: message{
			url:    azureObject,
			header: http.Header{"X-Ms-Encryption-Key": {"SECRET"}, "X-Ms-Encryption-Key-Sha256": {"SECRET"}},
		},
	},
	{
		name:  "a user's delegation key",
		cloud: "azblob",
		message: message{
			method: "POST",
			url:    azureObject + "?restype=service&comp=userdelegationkey",
			document: `<UserDelegationKey><SignedOid>SECRET</SignedOid>` +
				`<Value>SECRET</Value></UserDelegationKey>`,
		},
	},
	{
		name:  "a listing with the address of the service",
		cloud: "azblob",
		message: message{
			url: azurite + "?comp=list",
			document: "\ufeff" + `<?xml version="1.0"?><EnumerationResults ServiceEndpoint="https://SECRET/" ` +
				`ContainerName="` + testBucket + `"><Blobs><Blob><Name>a</Name></Blob></Blobs>` +
				`</EnumerationResults>`,
		},
	},
	{
		name:  "the details of an authentication",
		cloud: "azblob",
		message: message{
			url:    azureObject,
			status: 403,
			document: `<Error><Code>AuthenticationFailed</Code><Message>no</Message>` +
				`<AuthenticationErrorDetail>The string to sign was 'SECRET'</AuthenticationErrorDetail></Error>`,
		},
	},
	{
		name:  "a batch of Azure",
		cloud: "azblob",
		message: message{
			method: "POST",
			url:    azureObject + "?comp=batch",
			header: http.Header{"Content-Type": {"multipart/mixed; boundary=x"}},
			body: "--x\r\n\r\nDELETE /b HTTP/1.1\r\n" +
				"Authorization: SharedKey acc0untname:SECRET\r\n\r\n--x--\r\n",
		},
	},
}

// secretForms are the forms of a secret that somebody could find in a file.
func secretForms() []string {
	escaped := url.QueryEscape(testSecret)
	return []string{
		testSecret,
		escaped,
		url.PathEscape(testSecret),
		hex.EncodeToString([]byte(testSecret)),
		base64.StdEncoding.EncodeToString([]byte(testSecret)),
		`Hidden\u0026Secret`,
		"Hidden&amp;Secret",
		"Hidden",
	}
}

// encodedFor returns the secret, encoded for the place in the message where it stands.
func encodedFor(name string, m message) string {
	if strings.Contains(name, "message") {
		return "Hidden-Secret"
	}
	if strings.Contains(m.document, "<") {
		return strings.ReplaceAll(testSecret, "&", "&amp;")
	}
	if strings.Contains(m.url, "SECRET") || strings.Contains(m.header.Get("X-Ms-Copy-Source"), "SECRET") {
		return url.QueryEscape(testSecret)
	}
	return testSecret
}

// The recorder replaces secrets and the names of accounts, buckets and hosts.
func TestRecordingsReplaceWhatTells(t *testing.T) {
	// Each message has one place for a secret, such as a header.
	for _, tt := range hidingPlaces {
		t.Run(tt.cloud+" "+tt.name, func(t *testing.T) {
			// Record an exchange with the secret, which is encoded as its place requires.
			dir := t.TempDir()
			r := recording.New(dir, tt.cloud+"://", nil)
			require.NoError(t, r.Begin())
			secret := encodedFor(tt.name, tt.message)
			send(t, r, tt.message.with(secret))
			written, leftOut, err := r.Write()
			require.NoError(t, err)
			require.Equal(t, 1, written, "an exchange whose secret is replaced must be recorded")
			require.Zero(t, leftOut)
			require.Len(t, recorded.ReadFolder(t, recorded.Amazon, dir).Exchanges, 1)

			// Neither the secret nor any of these parts of the messages is in the files.
			hidden := append(secretForms(),
				"omnibucket-certify-", // begins the name of the bucket
				"acc0untname",
				"127.0.0.1",
				"4711",     // in the numbers of accounts and projects
				"48696464", // begins the signatures of chunks
			)
			text := recorded.Text(t, dir)
			for _, word := range hidden {
				require.NotContains(t, text, word)
			}
		})
	}
}

// A recording leaves out each exchange (a request and its response) with a secret of the environment in any encoding.
func TestRecordingsLackExchangesWithKnownSecrets(t *testing.T) {
	escapedTwice := url.QueryEscape(url.QueryEscape(testSecret))
	contents := map[string]string{
		"plain":                          testSecret,
		"escaped":                        url.QueryEscape(testSecret),
		"escaped in lower case":          strings.ToLower(url.QueryEscape(testSecret)),
		"escaped twice":                  escapedTwice,
		"escaped twice in lower case":    strings.ToLower(escapedTwice),
		"in XML":                         "<x>" + strings.ReplaceAll(testSecret, "&", "&amp;"),
		"in JSON":                        `{"x": "` + strings.ReplaceAll(testSecret, "&", `\u0026`),
		"in Base64":                      base64.StdEncoding.EncodeToString([]byte("1" + testSecret + "1")),
		"in Base64 of a URL":             base64.RawURLEncoding.EncodeToString([]byte("12" + testSecret)),
		"in hexadecimal digits":          hex.EncodeToString([]byte("1" + testSecret)),
		"in capital hexadecimal digits":  strings.ToUpper(hex.EncodeToString([]byte(testSecret))),
		"in a document without its ends": `<Error><Code>` + testSecret,
	}
	environ := map[string][]string{
		"s3": {"AWS_SECRET_ACCESS_KEY=" + testSecret, "AWS_RETRY_MODE=standard"},
		"gs": {"GOOGLE_APPLICATION_CREDENTIALS=" + credentialsFile(t)},
		"azblob": {"AZURE_STORAGE_CONNECTION_STRING=AccountName=acc0untname;AccountKey=" + testSecret +
			";EndpointSuffix=core.windows.net"},
	}
	objects := map[string]string{"s3": amazonObject, "gs": googleXML, "azblob": azureObject}

	for cloud, object := range objects {
		for name, content := range contents {
			t.Run(cloud+" "+name, func(t *testing.T) {
				dir := t.TempDir()
				r := recording.New(dir, cloud+"://", environ[cloud])

				// Three exchanges have the secret, in the request, the response and a header.
				send(t, r, message{method: "PUT", url: object, body: content})
				send(t, r, message{
					url:      object,
					document: content,
					received: http.Header{"Accept-Ranges": {"bytes"}},
				})
				send(t, r, message{
					url:      object,
					document: "standard",
					received: http.Header{"X-Amz-Meta-A": {content}},
				})

				// The last one has only the value of AWS_RETRY_MODE, which is no secret.
				send(t, r, message{url: object, document: "standard"})

				written, leftOut, err := r.Write()
				require.NoError(t, err)
				require.Equal(t, 3, leftOut)
				require.Equal(t, 1, written)
			})
		}
	}
}

// credentialsFile returns a file of a service account whose private key is the secret.
func credentialsFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key.json")
	key := `-----BEGIN PRIVATE KEY-----\n` + testSecret + `\n-----END PRIVATE KEY-----\n`
	text := `{"type": "service_account", "private_key": "` + key + `", "token_uri": "https://oauth2.googleapis.com/token"}`
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// A recording does not contain a secret that only a later exchange shows to be one.
func TestRecordingsLackASecretThatIsKnownLater(t *testing.T) {
	escaped := url.QueryEscape(testSecret)
	tests := map[string]message{
		"a token": {
			url:    googleObject,
			header: http.Header{"Authorization": {"Bearer " + testSecret}},
		},
		"a token in lower case": {
			url:    googleObject,
			header: http.Header{"Authorization": {"bearer " + testSecret}},
		},
		"a token for a source": {
			url:    azureObject,
			header: http.Header{"X-Ms-Copy-Source-Authorization": {"Bearer " + testSecret}},
		},
		"a credential in lower case": {
			url:    googleXML,
			header: http.Header{"Authorization": {"GOOG4-HMAC-SHA256 credential=Hidden&Secret/20260101, signature=00112233"}},
		},
		"a cookie": {
			url:    googleXML,
			header: http.Header{"Cookie": {"first=1; second=" + testSecret}},
		},
		"a token in a URL":               {url: googleObject + "?access_token=" + escaped},
		"a signature in lower case":      {url: amazonObject + "?x-amz-signature=" + escaped},
		"a signature in capital letters": {url: azureObject + "?SIG=" + escaped},
		"the second signature":           {url: azureObject + "?sig=first-one&sig=" + escaped},
		"a signature in a header": {
			url:    azureObject,
			header: http.Header{"X-Ms-Copy-Source": {"https://h/%zz?a=b;c&sig=" + escaped}},
		},
		"a password in a header": {
			url:    azureObject,
			header: http.Header{"Referer": {"https://name:" + escaped + "@h/"}},
		},
		"a session in a response": {
			url:      googleUpload,
			received: http.Header{"X-Goog-Upload-Url": {googleUpload + "&upload_id=" + escaped}},
		},
	}
	for name, msg := range tests {
		t.Run(name, func(t *testing.T) {
			r := recording.New(t.TempDir(), "gs://", nil)

			// The body of the first exchange looks like content, until the second exchange shows that it is a secret.
			send(t, r, message{method: "PUT", url: googleXML, body: testSecret})
			send(t, r, msg)

			// The second exchange is written without the secret, and the first one is left out.
			written, leftOut, err := r.Write()
			require.NoError(t, err)
			require.Equal(t, 1, written)
			require.Equal(t, 1, leftOut)
		})
	}
}

// A recording keeps the content of an object, even if that looks like a JSON or XML document.
func TestRecordingsKeepContent(t *testing.T) {
	for _, content := range []string{`{"new": 1}`, "<a>b</a>", "[", "<", "hello"} {
		t.Run(content, func(t *testing.T) {
			dir := t.TempDir()
			r := recording.New(dir, "s3://", nil)
			send(t, r, message{
				url:      amazonObject,
				document: content,
				received: http.Header{"Accept-Ranges": {"bytes"}},
			})

			_, leftOut, err := r.Write()
			require.NoError(t, err)
			require.Zero(t, leftOut)

			folder := recorded.ReadFolder(t, recorded.Amazon, dir)
			require.Equal(t, content, string(folder.Exchanges[0].Response.Body))
		})
	}
}

// Begin refuses a folder that does not exist or that has files. It also refuses the path of a file.
func TestRecordingsAreOfOneRun(t *testing.T) {
	parent := t.TempDir()
	missing := filepath.Join(parent, "missing", "dir")
	require.ErrorIs(t, recording.New(missing, "s3://", nil).Begin(), os.ErrNotExist)

	dir := filepath.Join(parent, "dir")
	require.NoError(t, recording.New(dir, "s3://", nil).Begin())
	require.NoError(t, recording.New(dir, "s3://", nil).Begin(), "the folder of a killed run is empty")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "0000.replay"), nil, 0o644))
	require.ErrorContains(t, recording.New(dir, "s3://", nil).Begin(), "must be new, or empty")

	file := filepath.Join(parent, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	require.Error(t, recording.New(file, "s3://", nil).Begin())
}

// If the folder of a recording is removed while requests are recorded, Write fails.
func TestRecordingWriteFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	r := recording.New(dir, "s3://", nil)
	require.NoError(t, r.Begin())
	send(t, r, message{url: amazonObject})
	require.NoError(t, os.Remove(dir))

	count, _, err := r.Write()
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Zero(t, count)
}

// If two runs record into the same folder, Write of the second fails with os.ErrExist and keeps the
// file of the first.
func TestRecordingWriteKeepsTheFileOfAnotherRun(t *testing.T) {
	dir := t.TempDir()
	first := recording.New(dir, "s3://", nil)
	second := recording.New(dir, "s3://", nil)
	require.NoError(t, first.Begin())
	require.NoError(t, second.Begin())

	// The first run writes its file.
	send(t, first, message{url: amazonObject})
	_, _, err := first.Write()
	require.NoError(t, err)
	want, err := os.ReadFile(filepath.Join(dir, "0000.replay"))
	require.NoError(t, err)

	// The second run would write a file of the same name.
	send(t, second, message{url: amazonObject, document: "another"})
	written, _, err := second.Write()
	require.ErrorIs(t, err, os.ErrExist)
	require.Zero(t, written)
	got, err := os.ReadFile(filepath.Join(dir, "0000.replay"))
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

// A recording replaces a value, such as a number, only by another value of the same type.
func TestRecordingsKeepTheFormOfValues(t *testing.T) {
	dir := t.TempDir()
	r := recording.New(dir, "gs://", nil)
	send(t, r, message{
		url: googleObject,
		received: http.Header{
			"X-New-Time":  {"Mon, 30 Nov 2026 16:00:00 GMT"},
			"X-New-Flag":  {"true"},
			"X-New-Count": {"12"},
		},
		document: `{"kind":"storage#bucket","projectNumber":"123456789012","new":{"at":"2026-11-30T16:00:00Z","is":true,"n":5}}`,
	})
	_, _, err := r.Write()
	require.NoError(t, err)

	// Times and flags are kept, and other numbers become 0.
	resp := recorded.ReadFolder(t, recorded.Google, dir).Exchanges[0].Response
	require.Equal(t, http.Header{
		"X-New-Time":  {"Mon, 30 Nov 2026 16:00:00 GMT"},
		"X-New-Flag":  {"true"},
		"X-New-Count": {"0"},
	}, resp.Header)
	require.JSONEq(
		t, `{"kind":"storage#bucket","projectNumber":"0","new":{"at":"2026-11-30T16:00:00Z","is":true,"n":0}}`,
		string(resp.Body),
	)
}
