package s3

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
)

// A scriptedTransport records requests, and returns a scripted response for each. It names a request by its
// method, path and first parameter, such as "PUT /?cors" for a bucket in the host.
type scriptedTransport struct {
	t       *testing.T
	replies map[string]string   // by request: the status, a space, and the body
	first   map[string][]string // by request: responses before that of replies, in order

	mu       sync.Mutex
	requests []string
	bodies   map[string]string
	hosts    map[string]string
	headers  map[string]http.Header
}

// defaultReplies has the responses to requests without a scripted one. The keys are methods.
var defaultReplies = map[string]string{
	http.MethodGet:    "200 <a/>",
	http.MethodHead:   "200 ",
	http.MethodPut:    "200 ",
	http.MethodDelete: "204 ",
}

// RoundTrip records the request, and sends the scripted reply for this kind of request. A reply
// consists of a status, a space and a body.
func (s *scriptedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	name := requestName(r)
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
	}

	s.mu.Lock()
	s.requests = append(s.requests, name)
	s.bodies[name] = string(body)
	s.hosts[name] = r.URL.Host
	s.headers[name] = r.Header
	reply := s.replies[name]
	if first := s.first[name]; len(first) > 0 {
		reply = first[0]
		s.first[name] = first[1:]
	}
	s.mu.Unlock()

	if reply == "" {
		reply = defaultReplies[r.Method]
	}
	status, text, _ := strings.Cut(reply, " ")
	code, err := strconv.Atoi(status)
	require.NoError(s.t, err)
	return &http.Response{
		StatusCode:    code,
		Header:        http.Header{"X-Amz-Request-Id": {"R1"}},
		Body:          io.NopCloser(strings.NewReader(text)),
		Request:       r,
		ContentLength: int64(len(text)),
	}, nil
}

// requestName returns the name of a request in a script. The name has at most one parameter, even
// if the request has several.
func requestName(r *http.Request) string {
	name := r.Method + " " + r.URL.Path
	for parameter := range r.URL.Query() {
		if parameter != "x-id" {
			return name + "?" + parameter
		}
	}
	return name
}

// errorResponse returns an error response of S3 for a scriptedTransport.
func errorResponse(status int, code string) string {
	return fmt.Sprintf("%d <Error><Code>%s</Code><Message>no</Message></Error>", status, code)
}

// newScriptedService opens the account of c with a transport that returns scripted responses.
func newScriptedService(
	t *testing.T, c Config, replies map[string]string,
) (*serviceDriver, *scriptedTransport) {
	t.Helper()
	transport := &scriptedTransport{
		t:       t,
		replies: replies,
		bodies:  map[string]string{},
		hosts:   map[string]string{},
		headers: map[string]http.Header{},
	}
	c.AccessKeyID = "AKID"
	c.SecretKey = "secret"
	c.HTTPClient = &http.Client{Transport: transport}
	if c.Region == "" {
		c.Region = "eu-west-1"
	}

	d, err := NewServiceDriver(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	require.Empty(t, transport.requests, "opening must make no request")
	return d.(*serviceDriver), transport
}

// newBucketReplies returns the responses of Amazon for a new bucket without settings. The responses
// in changes replace or extend them.
func newBucketReplies(changes map[string]string) map[string]string {
	replies := map[string]string{
		"HEAD /":                  "404 ", // as before the bucket is created
		"GET /?policy":            errorResponse(404, "NoSuchBucketPolicy"),
		"GET /?cors":              errorResponse(404, "NoSuchCORSConfiguration"),
		"GET /?lifecycle":         errorResponse(404, "NoSuchLifecycleConfiguration"),
		"GET /?publicAccessBlock": errorResponse(404, "NoSuchPublicAccessBlockConfiguration"),
		"GET /?versioning":        "200 <VersioningConfiguration/>",
	}
	maps.Copy(replies, changes)
	return replies
}

// bucketReplies returns the responses of Amazon for a bucket without settings. The responses in
// changes replace or extend them.
func bucketReplies(changes map[string]string) map[string]string {
	replies := newBucketReplies(map[string]string{"HEAD /": "200 "})
	maps.Copy(replies, changes)
	return replies
}

// configOf returns a configuration for an account of a provider or server, by the name of its profile.
func configOf(t *testing.T, name string) Config {
	t.Helper()
	endpoint := "http://127.0.0.1:9000"
	if name == "b2" {
		endpoint = "https://s3.us-west-004.backblazeb2.com"
	}
	return Config{Endpoint: endpoint, Profile: newProfile(t, name)}
}

// CreateBucket sends the request to the server of the region. The request names the region, unless
// the server has only one.
func TestCreateBucketRegion(t *testing.T) {
	tests := map[string]struct {
		config     Config
		region     string // of the request
		wantHost   string // of CreateBucket
		wantBody   string // part of the body; "": it names no region
		wantRegion string // of the result
	}{
		"Amazon's first region, which is not named": {
			config:     Config{Region: "us-east-1"},
			wantHost:   "photos.s3.us-east-1.amazonaws.com",
			wantRegion: "us-east-1",
		},
		"the account's region": {
			config:     Config{},
			wantHost:   "photos.s3.eu-west-1.amazonaws.com",
			wantBody:   "<LocationConstraint>eu-west-1</LocationConstraint>",
			wantRegion: "eu-west-1",
		},
		"another region, whose server gets the request": {
			config:     Config{},
			region:     "ap-south-1",
			wantHost:   "photos.s3.ap-south-1.amazonaws.com",
			wantBody:   "<LocationConstraint>ap-south-1</LocationConstraint>",
			wantRegion: "ap-south-1",
		},
		"Amazon's first region, from another one": {
			config:     Config{},
			region:     "us-east-1",
			wantHost:   "photos.s3.us-east-1.amazonaws.com",
			wantRegion: "us-east-1",
		},
		"a server with one region": {
			config:     Config{Endpoint: "https://nyc3.digitaloceanspaces.com", Region: "nyc3"},
			wantHost:   "photos.nyc3.digitaloceanspaces.com",
			wantRegion: "nyc3",
		},
		"the only region of a server, given again": {
			config:     Config{Endpoint: "https://nyc3.digitaloceanspaces.com", Region: "nyc3"},
			region:     "nyc3",
			wantHost:   "photos.nyc3.digitaloceanspaces.com",
			wantRegion: "nyc3",
		},
		"another name than the region of the server": {
			config:     Config{Endpoint: "https://nyc3.digitaloceanspaces.com", Region: "nyc3"},
			region:     "cold",
			wantHost:   "photos.nyc3.digitaloceanspaces.com",
			wantBody:   "<LocationConstraint>cold</LocationConstraint>",
			wantRegion: "nyc3",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			service, transport := newScriptedService(t, tt.config, newBucketReplies(nil))
			request := &driver.BucketRequest{Name: "photos", Region: tt.region}
			info, err := service.CreateBucket(t.Context(), request)
			require.NoError(t, err)
			require.Equal(t, &storage.BucketInfo{Name: "photos", Region: tt.wantRegion}, info)
			require.Equal(t, []string{"HEAD /", "PUT /"}, transport.requests)
			require.Equal(t, tt.wantHost, transport.hosts["PUT /"])
			if tt.wantBody == "" {
				require.NotContains(t, transport.bodies["PUT /"], "LocationConstraint")
			} else {
				require.Contains(t, transport.bodies["PUT /"], tt.wantBody)
			}
		})
	}
}

// CreateBucket fails with BucketExists if the bucket exists, even if it belongs to the caller.
func TestCreateBucketExists(t *testing.T) {
	// The script has the response to HeadBucket, and then that to CreateBucket.
	tests := map[string]struct {
		replies map[string]string
		want    storage.Code
	}{
		"the caller's bucket, for which S3 would return 200": {
			replies: map[string]string{"HEAD /": "200 "},
			want:    storage.BucketExists,
		},
		"the caller's bucket, created meanwhile": {
			replies: map[string]string{"HEAD /": "404 ", "PUT /": errorResponse(409, "BucketAlreadyOwnedByYou")},
			want:    storage.BucketExists,
		},
		"a bucket of another account": {
			replies: map[string]string{"HEAD /": "403 ", "PUT /": errorResponse(409, "BucketAlreadyExists")},
			want:    storage.BucketExists,
		},
		"a bucket in another region": {
			replies: map[string]string{"HEAD /": "301 ", "PUT /": errorResponse(409, "BucketAlreadyOwnedByYou")},
			want:    storage.BucketExists,
		},
		"an unknown state": {
			replies: map[string]string{"HEAD /": "500 "},
			want:    storage.Unavailable,
		},
		"a throttled HEAD": {
			replies: map[string]string{"HEAD /": "503 "},
			want:    storage.RateLimited,
		},
		"a forbidden key": {
			replies: map[string]string{"HEAD /": "403 ", "PUT /": errorResponse(403, "AccessDenied")},
			want:    storage.PermissionDenied,
		},
		"an access key of another service": {
			replies: map[string]string{"HEAD /": "403 ", "PUT /": errorResponse(403, "InvalidAccessKeyId")},
			want:    storage.Unauthenticated,
		},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			service, _ := newScriptedService(t, Config{}, tt.replies)
			_, err := service.CreateBucket(t.Context(), wiretest.BucketRequest())
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
		})
	}
}

// CreateBucket sends requests only for settings that differ from the defaults of a new bucket.
func TestCreateBucketDefaults(t *testing.T) {
	tests := []struct {
		name         string
		opts         []storage.BucketOption
		wantSet      bool // the bucket has versioning and public access
		wantRequests []string
	}{
		{
			name: "other settings",
			opts: []storage.BucketOption{
				storage.WithVersioning(true),
				storage.WithPublicAccess(true),
				storage.WithLifecycle(),
				storage.WithCORS(),
			},
			wantSet: true,
			wantRequests: []string{
				"HEAD /",
				"PUT /",
				"PUT /?versioning",
				"GET /?policy",
				"GET /?publicAccessBlock",
				"PUT /?policy",
			},
		},
		{
			name:         "the defaults",
			opts:         []storage.BucketOption{storage.WithVersioning(false), storage.WithPublicAccess(false)},
			wantRequests: []string{"HEAD /", "PUT /"},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service, transport := newScriptedService(t, Config{}, newBucketReplies(nil))
			info, err := service.CreateBucket(t.Context(), wiretest.BucketRequest(tt.opts...))
			require.NoError(t, err)
			require.Equal(t, tt.wantSet, info.Versioning)
			require.Equal(t, tt.wantSet, info.Public)
			require.Equal(t, tt.wantRequests, transport.requests)
		})
	}
}

// CreateBucket deletes the new bucket if one of its settings is refused.
func TestCreateBucketSettingFails(t *testing.T) {
	service, transport := newScriptedService(t, Config{}, newBucketReplies(map[string]string{
		"PUT /?versioning": errorResponse(403, "AccessDenied"),
	}))
	_, err := service.CreateBucket(t.Context(), wiretest.BucketRequest(storage.WithVersioning(true)))
	require.ErrorIs(t, err, storage.PermissionDenied)
	require.Equal(t, []string{"HEAD /", "PUT /", "PUT /?versioning", "DELETE /"}, transport.requests)
}

// UpdateBucket sends only the requests for its changes, and then reads all settings.
func TestUpdateBucketRequests(t *testing.T) {
	// The reads are sent at the same time, so they arrive in any order.
	reads := []string{
		"HEAD /",
		"GET /?policy",
		"GET /?versioning",
		"GET /?cors",
		"GET /?lifecycle",
		"GET /?object-lock",
	}
	tests := map[string]struct {
		option storage.BucketOption
		want   []string
	}{
		"versions on": {option: storage.WithVersioning(true), want: []string{"PUT /?versioning"}},
		"CORS": {
			option: storage.WithCORS(storage.CORSRule{Origins: []string{"*"}, Methods: []string{"GET"}}),
			want:   []string{"PUT /?cors"},
		},
		"no CORS": {option: storage.WithCORS(), want: []string{"DELETE /?cors"}},
		"lifecycle": {
			option: storage.WithLifecycle(storage.LifecycleRule{
				ExpireAfterDays:       1,
				AbortUploadsAfterDays: 1,
			}),
			want: []string{"PUT /?lifecycle"},
		},
		"no lifecycle": {option: storage.WithLifecycle(), want: []string{"DELETE /?lifecycle"}},
		"object lock": {
			option: storage.WithObjectLock(),
			want:   []string{"GET /?object-lock", "PUT /?versioning", "PUT /?object-lock"},
		},
		"made private": {
			option: storage.WithPublicAccess(false),
			want:   []string{"GET /?policy", "PUT /?publicAccessBlock"},
		},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			service, transport := newScriptedService(t, Config{}, bucketReplies(nil))
			_, err := service.UpdateBucket(t.Context(), wiretest.BucketRequest(tt.option))
			require.NoError(t, err)

			require.Equal(t, tt.want, transport.requests[:len(tt.want)])
			require.ElementsMatch(t, reads, transport.requests[len(tt.want):])
		})
	}
}

// CreateBucket creates a bucket with object lock, and then sets its default retention. The second
// request has a checksum, because S3 requires one.
func TestCreateBucketWithObjectLock(t *testing.T) {
	service, transport := newScriptedService(t, Config{}, newBucketReplies(map[string]string{
		"GET /?object-lock": "200 <ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>" +
			"</ObjectLockConfiguration>",
	}))
	retention := storage.WithDefaultRetention(storage.Compliance, 7)

	info, err := service.CreateBucket(t.Context(), wiretest.BucketRequest(storage.WithObjectLock(), retention))
	require.NoError(t, err)
	require.True(t, info.ObjectLock)
	require.True(t, info.Versioning)
	require.Equal(t, storage.DefaultRetention{Mode: storage.Compliance, Days: 7}, info.DefaultRetention)

	require.Equal(t, []string{
		"HEAD /",
		"PUT /",
		"GET /?object-lock",
		"PUT /?object-lock",
	}, transport.requests)
	require.Equal(t, "true", transport.headers["PUT /"].Get("X-Amz-Bucket-Object-Lock-Enabled"))
	require.Contains(t, transport.bodies["PUT /?object-lock"], "<Days>7</Days><Mode>COMPLIANCE</Mode>")
	require.NotEmpty(t, transport.headers["PUT /?object-lock"].Get("X-Amz-Checksum-Crc32"))
}

const (
	// publicPolicy is a policy that permits everybody to read the bucket "photos".
	publicPolicy = `{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",` +
		`"Resource":"arn:aws:s3:::photos/*"}}`
	// blockedAccess is a response with a bucket's block of public access. All four parts of the
	// block are on.
	blockedAccess = "200 <PublicAccessBlockConfiguration>" +
		"<BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls>" +
		"<BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets>" +
		"</PublicAccessBlockConfiguration>"
)

// UpdateBucket makes a bucket public by a policy. Before that, it turns off those parts of the bucket's block of
// public access that would refuse the policy.
func TestUpdateBucketPublic(t *testing.T) {
	service, transport := newScriptedService(t, Config{Region: "cn-north-1"}, bucketReplies(map[string]string{
		"GET /?publicAccessBlock": blockedAccess,
	}))
	_, err := service.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithPublicAccess(true)))
	require.NoError(t, err)

	// UpdateBucket reads both settings, and then changes them.
	want := []string{
		"GET /?policy",
		"GET /?publicAccessBlock",
		"PUT /?publicAccessBlock",
		"PUT /?policy",
	}
	require.Equal(t, want, transport.requests[:len(want)])

	// The block keeps its other parts, and the policy permits everyone to read.
	require.Contains(t, transport.bodies["PUT /?publicAccessBlock"],
		"<BlockPublicAcls>true</BlockPublicAcls><BlockPublicPolicy>false</BlockPublicPolicy>"+
			"<IgnorePublicAcls>true</IgnorePublicAcls><RestrictPublicBuckets>false</RestrictPublicBuckets>")
	require.JSONEq(t, `{"Version": "2012-10-17", "Statement": [{
		"Sid": "OmnibucketPublicRead", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
		"Resource": "arn:aws-cn:s3:::photos/*"
	}]}`, transport.bodies["PUT /?policy"])
}

// UpdateBucket does not change the policy of a bucket if the policy already makes the bucket
// public.
func TestUpdateBucketPublicAlready(t *testing.T) {
	service, transport := newScriptedService(t, Config{}, bucketReplies(map[string]string{
		"GET /?policy": "200 " + publicPolicy,
	}))
	info, err := service.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithPublicAccess(true)))
	require.NoError(t, err)
	require.True(t, info.Public)
	require.NotContains(t, transport.requests, "PUT /?policy")
}

// A bucket with a public policy is not public while its block of public access restricts the
// policy.
func TestBucketInfoBlockedPolicy(t *testing.T) {
	service, _ := newScriptedService(t, Config{}, bucketReplies(map[string]string{
		"GET /?policy":            "200 " + publicPolicy,
		"GET /?publicAccessBlock": blockedAccess,
	}))

	info, err := service.BucketInfo(t.Context(), "photos")
	require.NoError(t, err)
	require.False(t, info.Public)
}

// On a server without policies, UpdateBucket makes a bucket public by an ACL.
func TestUpdateBucketPublicByACL(t *testing.T) {
	service, transport := newScriptedService(t, configOf(t, "b2"), bucketReplies(map[string]string{
		"GET /?acl": "200 <AccessControlPolicy><AccessControlList><Grant>" +
			`<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group">` +
			"<URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee>" +
			"<Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>",
	}))
	info, err := service.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithPublicAccess(true)))
	require.NoError(t, err)
	require.True(t, info.Public)
	require.Equal(t, "PUT /?acl", transport.requests[0])
	require.Equal(t, "public-read", transport.headers["PUT /?acl"].Get("X-Amz-Acl"))
}

// If UpdateBucket cannot read some settings after a change that succeeded, its result names these
// settings.
func TestUpdateBucketUnread(t *testing.T) {
	service, _ := newScriptedService(t, Config{}, newBucketReplies(map[string]string{
		"HEAD /":           errorResponse(403, "AccessDenied"),
		"PUT /?versioning": "200 ",
	}))

	info, err := service.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithVersioning(true)))
	require.NoError(t, err)
	require.True(t, info.Versioning)
	require.Equal(t, []string{"Public", "CORS", "Lifecycle", "ObjectLock", "DefaultRetention"}, info.Unread)
}

// BucketInfo reads the CORS rules that UpdateBucket writes.
func TestCORSRules(t *testing.T) {
	rule := storage.CORSRule{
		Origins:        []string{"https://a.example", "https://b.example"},
		Methods:        []string{"GET", "PUT"},
		AllowedHeaders: []string{"*"},
		ExposedHeaders: []string{"ETag"},
		MaxAge:         time.Hour,
	}
	service, transport := newScriptedService(t, Config{}, bucketReplies(nil))
	_, err := service.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithCORS(rule)))
	require.NoError(t, err)

	// The request has the rules in XML.
	body := transport.bodies["PUT /?cors"]
	require.Contains(t, body, "<MaxAgeSeconds>3600</MaxAgeSeconds>")

	// The server of another service returns these rules, and BucketInfo reads them.
	service, _ = newScriptedService(t, Config{}, bucketReplies(map[string]string{
		"GET /?cors": "200 " + body,
	}))
	info, err := service.BucketInfo(t.Context(), "photos")
	require.NoError(t, err)
	require.Equal(t, []storage.CORSRule{rule}, info.CORS)
}

// BucketInfo reads the lifecycle rules that UpdateBucket writes.
func TestLifecycleRules(t *testing.T) {
	rules := []storage.LifecycleRule{
		{ID: "tmp", Prefix: "tmp/", ExpireAfterDays: 3, AbortUploadsAfterDays: 1},
		{ID: "old", ExpireOldVersionsAfterDays: 30, TransitionAfterDays: 90, TransitionTo: "GLACIER"},
	}
	service, transport := newScriptedService(t, Config{}, bucketReplies(nil))
	_, err := service.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithLifecycle(rules...)))
	require.NoError(t, err)

	// The request has the rules in XML.
	body := transport.bodies["PUT /?lifecycle"]
	require.Contains(t, body, "<Filter><Prefix></Prefix></Filter>", "a rule for all objects has an empty prefix")

	// The server of another service returns these rules, and BucketInfo reads them.
	service, _ = newScriptedService(t, Config{}, bucketReplies(map[string]string{
		"GET /?lifecycle": "200 " + body,
	}))
	info, err := service.BucketInfo(t.Context(), "photos")
	require.NoError(t, err)
	require.Equal(t, rules, info.Lifecycle)
}

// If a rule hides objects, B2 returns two rules for it. UpdateBucket reads them as the one rule
// that was set: https://www.backblaze.com/apidocs/s3-get-lifecycle-configuration
func TestLifecycleRulesOnB2(t *testing.T) {
	const response = `200 <LifecycleConfiguration>
		<Rule>
			<ID>tmp</ID><Filter><Prefix>tmp/</Prefix></Filter><Status>Enabled</Status>
			<Expiration><Days>3</Days></Expiration>
		</Rule>
		<Rule>
			<ID>tmp-2</ID><Filter><Prefix>tmp/</Prefix></Filter><Status>Enabled</Status>
			<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>
		</Rule>
		</LifecycleConfiguration>`
	rule := storage.LifecycleRule{ID: "tmp", Prefix: "tmp/", ExpireAfterDays: 3}
	service, transport := newScriptedService(t, configOf(t, "b2"),
		bucketReplies(map[string]string{"GET /?lifecycle": response}))

	info, err := service.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithLifecycle(rule)))
	require.NoError(t, err)
	require.Equal(t, []storage.LifecycleRule{rule}, info.Lifecycle)
	require.Equal(t, "PUT /?lifecycle", transport.requests[0])
	require.NotEmpty(t, transport.headers["PUT /?lifecycle"].Get("Content-Md5"))
}

// BucketInfo reads lifecycle rules in the forms that other programs write. It leaves out a rule that
// LifecycleRule cannot express.
func TestLifecycleRulesOfOthers(t *testing.T) {
	tests := map[string]struct {
		status string // "": Enabled
		rule   string
		want   []storage.LifecycleRule
	}{
		"a prefix in the old form": {
			rule: `<Prefix>x/</Prefix><Expiration><Days>1</Days></Expiration>`,
			want: []storage.LifecycleRule{{ID: "a", Prefix: "x/", ExpireAfterDays: 1}},
		},
		"only a prefix": {
			rule: `<Filter><And><Prefix>x/</Prefix></And></Filter><Expiration><Days>1</Days></Expiration>`,
			want: []storage.LifecycleRule{{ID: "a", Prefix: "x/", ExpireAfterDays: 1}},
		},
		"two steps": {
			rule: `<Filter/><Transition><Days>30</Days><StorageClass>STANDARD_IA</StorageClass></Transition>` +
				`<Transition><Days>90</Days><StorageClass>GLACIER</StorageClass></Transition>`,
			want: []storage.LifecycleRule{
				{ID: "a", TransitionAfterDays: 30, TransitionTo: "STANDARD_IA"},
				{ID: "a-2", TransitionAfterDays: 90, TransitionTo: "GLACIER"},
			},
		},
		"a disabled rule": {
			status: "Disabled",
			rule:   `<Filter/><Expiration><Days>1</Days></Expiration>`,
		},
		"a tag": {
			rule: `<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>` +
				`<Expiration><Days>1</Days></Expiration>`,
			want: []storage.LifecycleRule{{ID: "a", Tags: map[string]string{"k": "v"}, ExpireAfterDays: 1}},
		},
		"two tags": {
			rule: `<Filter><And><Tag><Key>k</Key><Value>v</Value></Tag>` +
				`<Tag><Key>l</Key><Value>w</Value></Tag></And></Filter>` +
				`<Expiration><Days>1</Days></Expiration>`,
			want: []storage.LifecycleRule{
				{ID: "a", Tags: map[string]string{"k": "v", "l": "w"}, ExpireAfterDays: 1},
			},
		},
		"a size": {
			rule: `<Filter><And><Prefix>x</Prefix><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></And></Filter>` +
				`<Expiration><Days>1</Days></Expiration>`,
		},
		"a date": {
			rule: `<Filter/><Expiration><Date>2030-01-01T00:00:00Z</Date></Expiration>`,
		},
		"a number of versions": {
			rule: `<Filter/><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>` +
				`<NewerNoncurrentVersions>3</NewerNoncurrentVersions></NoncurrentVersionExpiration>`,
		},
		"markers left by others": {
			rule: `<Filter/>` +
				`<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rules := "<Rule><ID>a</ID><Status>" + cmp.Or(tt.status, "Enabled") + "</Status>" + tt.rule + "</Rule>"
			service, _ := newScriptedService(t, Config{}, bucketReplies(map[string]string{
				"GET /?lifecycle": "200 <LifecycleConfiguration>" + rules + "</LifecycleConfiguration>",
			}))
			info, err := service.BucketInfo(t.Context(), "photos")
			require.NoError(t, err)
			require.Equal(t, tt.want, info.Lifecycle)
		})
	}
}

// If a server drops the tag of a rule, the rule would apply to more objects. UpdateBucket then
// fails with Unsupported and restores the earlier rules.
func TestLifecycleRulesDroppedTags(t *testing.T) {
	// The server shows this rule without tags before and after the change.
	const ruleWithoutTags = `<LifecycleConfiguration><Rule><ID>b</ID><Status>Enabled</Status>` +
		`<Filter><Prefix></Prefix></Filter><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>`
	service, transport := newScriptedService(t, configOf(t, "minio"),
		map[string]string{"GET /photos?lifecycle": "200 " + ruleWithoutTags})

	rule := storage.LifecycleRule{
		ID:              "b",
		Tags:            map[string]string{"k": "v"},
		ExpireAfterDays: 1,
	}
	_, err := service.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithLifecycle(rule)))
	require.ErrorIs(t, err, storage.Unsupported)
	require.Contains(t, s3error.Of(err).Hint, "tags")

	// UpdateBucket reads the rules, sets the new ones, reads them again, and restores the earlier ones.
	require.Equal(t, []string{
		"GET /photos?lifecycle",
		"PUT /photos?lifecycle",
		"GET /photos?lifecycle",
		"PUT /photos?lifecycle",
	}, transport.requests)
	require.NotContains(t, transport.bodies["PUT /photos?lifecycle"], "Tag")
}

// If the server lacks a part of a setting, UpdateBucket and CreateBucket fail with Unsupported, and
// send no request.
func TestBucketSettingsLacking(t *testing.T) {
	for name, option := range map[string]storage.BucketOption{
		"object lock":         storage.WithObjectLock(),
		"a default retention": storage.WithDefaultRetention(storage.Governance, 1),
		"tags of rules": storage.WithLifecycle(storage.LifecycleRule{
			Tags:            map[string]string{"k": "v"},
			ExpireAfterDays: 1,
		}),
	} {
		t.Run(name, func(t *testing.T) {
			service, transport := newScriptedService(t, configOf(t, "garage"), nil)
			_, err := service.UpdateBucket(t.Context(), wiretest.BucketRequest(option))
			require.ErrorIs(t, err, storage.Unsupported)
			_, err = service.CreateBucket(t.Context(), wiretest.BucketRequest(option))
			require.ErrorIs(t, err, storage.Unsupported)
			require.Empty(t, transport.requests)
		})
	}
}

// BucketInfo returns a default retention of years as days.
func TestBucketInfoRetentionInYears(t *testing.T) {
	service, _ := newScriptedService(t, Config{}, newBucketReplies(map[string]string{
		"HEAD /": "200 ",
		"GET /?object-lock": "200 <ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>" +
			"<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Years>2</Years></DefaultRetention></Rule>" +
			"</ObjectLockConfiguration>",
	}))
	info, err := service.BucketInfo(t.Context(), "photos")
	require.NoError(t, err)
	require.True(t, info.ObjectLock)
	require.Equal(t, storage.DefaultRetention{Mode: storage.Compliance, Days: 730}, info.DefaultRetention)
}

// If a server drops a rule, UpdateBucket fails with Unsupported and restores the earlier rules.
func TestLifecycleRulesDropped(t *testing.T) {
	// The server shows only the earlier rule, before and after the change.
	const rulesBefore = `<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status>` +
		`<Filter><Prefix>x/</Prefix></Filter><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>`
	service, transport := newScriptedService(t, configOf(t, "minio"),
		map[string]string{"GET /photos?lifecycle": "200 " + rulesBefore})

	rule := storage.LifecycleRule{
		ID:                    "b",
		ExpireAfterDays:       1,
		AbortUploadsAfterDays: 2,
	}
	_, err := service.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithLifecycle(rule)))
	require.ErrorIs(t, err, storage.Unsupported)

	// UpdateBucket reads the rules, sets the new ones, reads them again, and restores the earlier ones.
	require.Equal(t, []string{
		"GET /photos?lifecycle",
		"PUT /photos?lifecycle",
		"GET /photos?lifecycle",
		"PUT /photos?lifecycle",
	}, transport.requests)
	require.Contains(t, transport.bodies["PUT /photos?lifecycle"], "<ID>a</ID>")

	md5 := transport.headers["PUT /photos?lifecycle"].Get("Content-Md5")
	require.NotEmpty(t, md5, "the header must be set, because older servers require it")
}

// UpdateBucket fails with Unsupported if the server refuses a lifecycle rule that only aborts
// uploads.
func TestLifecycleRulesOnlyAbortUploads(t *testing.T) {
	responses := map[string]string{
		"GET /photos?lifecycle": errorResponse(404, "NoSuchLifecycleConfiguration"),
		"PUT /photos?lifecycle": errorResponse(400, "MalformedXML"),
	}
	tests := map[string]struct {
		rules []storage.LifecycleRule
		want  storage.Code
	}{
		"a rule that only aborts uploads": {
			rules: []storage.LifecycleRule{{AbortUploadsAfterDays: 3}},
			want:  storage.Unsupported,
		},
		"such a rule after another one": {
			rules: []storage.LifecycleRule{{ExpireAfterDays: 1}, {Prefix: "up/", AbortUploadsAfterDays: 3}},
			want:  storage.Unsupported,
		},
		"a rule that also expires objects": {
			rules: []storage.LifecycleRule{{ExpireAfterDays: 1, AbortUploadsAfterDays: 3}},
			want:  storage.InvalidArgument,
		},
		"a rule that only expires objects": {
			rules: []storage.LifecycleRule{{ExpireAfterDays: 1}},
			want:  storage.InvalidArgument,
		},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			service, _ := newScriptedService(t, configOf(t, "minio"), responses)
			request := wiretest.BucketRequest(storage.WithLifecycle(tt.rules...))
			_, err := service.UpdateBucket(t.Context(), request)
			require.ErrorIs(t, err, tt.want)
		})
	}
}

// CreateBucket and UpdateBucket fail with Unsupported and a hint, and send no request, if the
// server lacks a setting.
func TestUpdateBucketSettingLacking(t *testing.T) {
	c := Config{Endpoint: "http://127.0.0.1:9000", Profile: &Profile{Name: "bare"}}
	for name, option := range map[string]storage.BucketOption{
		"public access": storage.WithPublicAccess(true),
		"private":       storage.WithPublicAccess(false),
		"versions":      storage.WithVersioning(true),
		"CORS":          storage.WithCORS(),
		"lifecycle":     storage.WithLifecycle(),
	} {
		t.Run(name, func(t *testing.T) {
			service, transport := newScriptedService(t, c, nil)

			_, err := service.CreateBucket(t.Context(), wiretest.BucketRequest(option))
			require.ErrorIs(t, err, storage.Unsupported)
			require.NotEmpty(t, err.(*storage.Error).Hint)

			_, err = service.UpdateBucket(t.Context(), wiretest.BucketRequest(option))
			require.ErrorIs(t, err, storage.Unsupported)
			require.NotEmpty(t, err.(*storage.Error).Hint)

			require.Empty(t, transport.requests)
		})
	}
}

// BucketInfo sends no request for a setting that the server does not have.
func TestBucketInfoSettingLacking(t *testing.T) {
	c := Config{Endpoint: "http://127.0.0.1:9000", Profile: &Profile{Name: "bare"}}
	service, transport := newScriptedService(t, c, nil)
	_, err := service.BucketInfo(t.Context(), "photos")
	require.NoError(t, err)
	require.Equal(t, []string{"HEAD /photos"}, transport.requests)
}

// BucketInfo fails with PermissionDenied if some settings may not be read. It returns the other settings, and names the
// missing ones and their permissions. UpdateBucket returns the same information without an error.
func TestBucketInfoUnreadableSettings(t *testing.T) {
	denied := errorResponse(403, "AccessDenied")
	service, _ := newScriptedService(t, Config{}, bucketReplies(map[string]string{
		"GET /?policy":     denied,
		"GET /?versioning": denied,
		"GET /?lifecycle":  denied,
		"GET /?cors": "200 <CORSConfiguration><CORSRule>" +
			"<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>" +
			"</CORSRule></CORSConfiguration>",
	}))
	want := &storage.BucketInfo{
		Name:   "photos",
		Region: "eu-west-1",
		CORS:   []storage.CORSRule{{Origins: []string{"*"}, Methods: []string{"GET"}}},
		Unread: []string{"Public", "Versioning", "Lifecycle"},
	}

	info, err := service.BucketInfo(t.Context(), "photos")
	require.ErrorIs(t, err, storage.PermissionDenied)
	require.ErrorContains(t, err, "s3:GetBucketPolicy, s3:GetBucketVersioning, s3:GetLifecycleConfiguration")
	require.Equal(t, want, info)

	withoutChange := wiretest.BucketRequest()
	info, err = service.UpdateBucket(t.Context(), withoutChange)
	require.NoError(t, err)
	require.Equal(t, want, info)
}

// The error of BucketInfo names the permission of the request that the server refused.
//
// Whether a bucket is public depends on its policy and then on the block of public access. On a
// server without policies, it depends on the ACL.
func TestBucketInfoNamesRefusedPermission(t *testing.T) {
	const policy = "200 " + publicPolicy
	denied := errorResponse(403, "AccessDenied")
	tests := []struct {
		name    string
		config  Config
		replies map[string]string
		want    string // is in the error
	}{
		{
			name:    "policy",
			replies: map[string]string{"GET /?policy": denied},
			want:    "may not read Public: permit s3:GetBucketPolicy;",
		},
		{
			name:    "block of public access",
			replies: map[string]string{"GET /?policy": policy, "GET /?publicAccessBlock": denied},
			want:    "may not read Public: permit s3:GetBucketPublicAccessBlock;",
		},
		{
			name:    "ACL",
			config:  configOf(t, "b2"),
			replies: map[string]string{"GET /?acl": denied},
			want:    "may not read Public: permit s3:GetBucketAcl;",
		},
		{
			name:    "CORS rules",
			replies: map[string]string{"GET /?cors": denied},
			want:    "may not read CORS: permit s3:GetBucketCORS;",
		},
		{
			name:    "object lock",
			replies: map[string]string{"GET /?object-lock": denied},
			want:    "may not read ObjectLock, DefaultRetention: permit s3:GetBucketObjectLockConfiguration;",
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// These replies permit all reads, and the bucket has no settings. The replies of the case
			// replace some of them.
			replies := bucketReplies(map[string]string{
				"GET /?object-lock": errorResponse(404, "ObjectLockConfigurationNotFoundError"),
			})
			maps.Copy(replies, tt.replies)
			service, _ := newScriptedService(t, tt.config, replies)

			_, err := service.BucketInfo(t.Context(), "photos")
			require.ErrorIs(t, err, storage.PermissionDenied)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// UpdateBucket succeeds and returns the settings that it has set, even if it cannot read the settings after the
// change.
func TestUpdateBucketReadFails(t *testing.T) {
	rule := storage.CORSRule{Origins: []string{"*"}, Methods: []string{"GET"}}
	denied := errorResponse(403, "AccessDenied")
	busy := errorResponse(503, "SlowDown")

	for name, replies := range map[string]map[string]string{
		"the policy may not be read": {"HEAD /": "200 ", "GET /?policy": denied, "GET /?cors": denied},
		"nothing may be read": {
			"HEAD /":           denied,
			"GET /?policy":     denied,
			"GET /?versioning": denied,
			"GET /?lifecycle":  denied,
			"GET /?cors":       denied,
		},
		"the server is busy": {"HEAD /": "503 ", "GET /?policy": busy},
	} {
		t.Run(name, func(t *testing.T) {
			service, transport := newScriptedService(t, Config{}, newBucketReplies(replies))
			info, err := service.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithCORS(rule)))
			require.NoError(t, err)
			require.Equal(t, []storage.CORSRule{rule}, info.CORS, "must be the rule that was set")
			require.Equal(t, "PUT /?cors", transport.requests[0])
		})
	}
}

// An update without changes only reads the settings, so it fails if they cannot be read.
func TestUpdateBucketWithoutChangesReadFails(t *testing.T) {
	denied := errorResponse(403, "AccessDenied")
	service, _ := newScriptedService(t, Config{}, newBucketReplies(map[string]string{"HEAD /": denied}))
	_, err := service.UpdateBucket(t.Context(), wiretest.BucketRequest())
	require.ErrorIs(t, err, storage.PermissionDenied)
}

// UpdateBucket fails with BucketNotFound if the bucket is missing. Only the reads after the change
// show that, because MinIO answers 200 to the change itself.
func TestUpdateBucketMissing(t *testing.T) {
	service, _ := newScriptedService(t, Config{}, map[string]string{
		"PUT /?versioning": "200 ",
		"HEAD /":           "404 ",
	})
	_, err := service.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithVersioning(true)))
	require.ErrorIs(t, err, storage.BucketNotFound)
}

// UpdateBucket changes nothing about public access if the policy cannot be read.
func TestUpdateBucketPublicDenied(t *testing.T) {
	for name, isPublic := range map[string]bool{"to public": true, "to private": false} {
		t.Run(name, func(t *testing.T) {
			service, transport := newScriptedService(t, Config{}, bucketReplies(map[string]string{
				"GET /?policy": errorResponse(403, "AccessDenied"),
			}))
			_, err := service.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithPublicAccess(isPublic)))
			require.ErrorIs(t, err, storage.PermissionDenied)
			require.Equal(t, []string{"GET /?policy"}, transport.requests)
		})
	}
}

// BucketInfo fails if the bucket is missing or a setting cannot be read. It does not fail if the
// server lacks a setting.
func TestBucketInfoErrors(t *testing.T) {
	tests := map[string]struct {
		replies map[string]string // bucketReplies has those for a bucket without settings, with changes
		want    storage.Code      // "" if BucketInfo succeeds
	}{
		"a missing bucket": {
			replies: bucketReplies(map[string]string{"HEAD /": "404 "}),
			want:    storage.BucketNotFound,
		},
		"a setting that fails": {
			replies: bucketReplies(map[string]string{"GET /?cors": errorResponse(503, "SlowDown")}),
			want:    storage.RateLimited,
		},
		"a bucket that was deleted meanwhile": {
			replies: bucketReplies(map[string]string{
				"GET /?versioning": errorResponse(404, "NoSuchBucket"),
			}),
			want: storage.BucketNotFound,
		},
		"settings that the server does not have": {
			replies: bucketReplies(map[string]string{
				"GET /?cors":       errorResponse(501, "NotImplemented"),
				"GET /?versioning": errorResponse(405, "MethodNotAllowed"),
			}),
		},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			service, _ := newScriptedService(t, Config{}, tt.replies)
			_, err := service.BucketInfo(t.Context(), "photos")
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
		})
	}
}

// ListBuckets returns the buckets of one page, sorted by name, and the token of the next page.
func TestListBucketsPages(t *testing.T) {
	// The server sends "b" and then "a", and the region of each bucket.
	const bucket = "<Bucket><Name>%s</Name><CreationDate>2026-01-02T03:04:05.000Z</CreationDate>" +
		"<BucketRegion>eu-west-1</BucketRegion></Bucket>"
	service, transport := newScriptedService(t, Config{}, map[string]string{
		"GET /?max-buckets": "200 <ListAllMyBucketsResult>" +
			"<Buckets>" + fmt.Sprintf(bucket, "b") + fmt.Sprintf(bucket, "a") + "</Buckets>" +
			"<ContinuationToken>more</ContinuationToken></ListAllMyBucketsResult>",
	})

	page, token, err := service.ListBuckets(t.Context(), "")
	require.NoError(t, err)
	created := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	require.Equal(t, []storage.BucketInfo{
		{Name: "a", Region: "eu-west-1", Created: created},
		{Name: "b", Region: "eu-west-1", Created: created},
	}, page)
	require.Equal(t, "more", token)
	require.Equal(t, "s3.eu-west-1.amazonaws.com", transport.hosts["GET /?max-buckets"])
}

// DeleteBucket fails with BucketNotEmpty if the server refuses to delete a bucket with objects.
func TestDeleteBucketNotEmpty(t *testing.T) {
	service, _ := newScriptedService(t, Config{}, map[string]string{
		"DELETE /": errorResponse(409, "BucketNotEmpty"),
	})
	require.ErrorIs(t, service.DeleteBucket(t.Context(), "photos"), storage.BucketNotEmpty)
}

// Credentials returns the keys and the endpoint of the account without a request.
func TestServiceCredentials(t *testing.T) {
	tests := []struct{ name, endpoint, want string }{
		{name: "Amazon", want: "https://s3.eu-west-1.amazonaws.com"},
		{name: "another server", endpoint: "http://127.0.0.1:9000", want: "http://127.0.0.1:9000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service, transport := newScriptedService(t, Config{Endpoint: tt.endpoint}, nil)
			got, err := service.Credentials(t.Context(), "photos")
			require.NoError(t, err)
			require.Equal(t, &storage.Credentials{
				Endpoint:    tt.want,
				Region:      "eu-west-1",
				Bucket:      "photos",
				AccessKeyID: "AKID",
				SecretKey:   "secret",
			}, got)
			require.Empty(t, transport.requests)
		})
	}
}

// An anonymous account has no credentials to return.
func TestServiceCredentialsAnonymous(t *testing.T) {
	d, err := NewServiceDriver(t.Context(), Config{Region: "eu-west-1", Anonymous: true})
	require.NoError(t, err)
	_, err = d.Credentials(t.Context(), "photos")
	require.ErrorIs(t, err, storage.Unsupported)
}

// NewService refuses a Config that names a bucket.
func TestNewServiceRefusesBucket(t *testing.T) {
	_, err := NewService(t.Context(), Config{Bucket: "photos", Region: "eu-west-1"})
	require.ErrorIs(t, err, storage.InvalidArgument)
}
