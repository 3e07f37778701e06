package s3

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
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

// A transcript is a transport that records requests, like "PUT /?cors" for a bucket in
// the host, and returns a response for each.
type transcript struct {
	t       *testing.T
	replies map[string]string   // request: status, a space, body
	first   map[string][]string // responses before that, in order

	mu       sync.Mutex
	requests []string
	bodies   map[string]string
	hosts    map[string]string
	headers  map[string]http.Header
}

func (w *transcript) RoundTrip(r *http.Request) (*http.Response, error) {
	name := r.Method + " " + r.URL.Path
	for parameter := range r.URL.Query() {
		if parameter != "x-id" {
			name += "?" + parameter
			break
		}
	}
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
	}
	w.mu.Lock()
	w.requests = append(w.requests, name)
	w.bodies[name] = string(body)
	w.hosts[name] = r.URL.Host
	w.headers[name] = r.Header
	reply := w.replies[name]
	if first := w.first[name]; len(first) > 0 {
		reply = first[0]
		w.first[name] = first[1:]
	}
	w.mu.Unlock()
	if reply == "" {
		reply = map[string]string{http.MethodGet: "200 <a/>", http.MethodHead: "200 ", http.MethodPut: "200 ", http.MethodDelete: "204 "}[r.Method]
	}
	status, text, _ := strings.Cut(reply, " ")
	response := &http.Response{
		Header:        http.Header{"X-Amz-Request-Id": {"R1"}},
		Body:          io.NopCloser(strings.NewReader(text)),
		Request:       r,
		ContentLength: int64(len(text)),
	}
	_, err := fmt.Sscan(status, &response.StatusCode)
	require.NoError(w.t, err)
	return response, nil
}

// failure returns an error response of S3.
func failure(status int, code string) string {
	return fmt.Sprintf("%d <Error><Code>%s</Code><Message>no</Message></Error>", status, code)
}

func newWireService(t *testing.T, c Config, replies map[string]string) (*serviceDriver, *transcript) {
	t.Helper()
	w := &transcript{
		t:       t,
		replies: replies,
		bodies:  map[string]string{},
		hosts:   map[string]string{},
		headers: map[string]http.Header{},
	}
	c.AccessKeyID = "AKID"
	c.SecretKey = "secret"
	c.HTTPClient = &http.Client{Transport: w}
	if c.Region == "" {
		c.Region = "eu-west-1"
	}

	d, err := NewServiceDriver(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	require.Empty(t, w.requests, "opening makes no request")
	return d.(*serviceDriver), w
}

// private returns the responses of a bucket of Amazon's without settings.
func private(extra map[string]string) map[string]string {
	replies := map[string]string{
		"HEAD /":                  "404 ",
		"GET /?policy":            failure(404, "NoSuchBucketPolicy"),
		"GET /?cors":              failure(404, "NoSuchCORSConfiguration"),
		"GET /?lifecycle":         failure(404, "NoSuchLifecycleConfiguration"),
		"GET /?publicAccessBlock": failure(404, "NoSuchPublicAccessBlockConfiguration"),
		"GET /?versioning":        "200 <VersioningConfiguration/>",
	}
	for request, reply := range extra {
		replies[request] = reply
	}
	return replies
}

// A bucket is created in its region.
func TestCreateBucketRegion(t *testing.T) {
	tests := map[string]struct {
		config     Config
		region     string
		host, body string
		want       string // of the info
	}{
		"Amazon's first region has no name": {
			config: Config{Region: "us-east-1"},
			host:   "photos.s3.us-east-1.amazonaws.com",
			want:   "us-east-1",
		},
		"the account's region": {
			config: Config{},
			host:   "photos.s3.eu-west-1.amazonaws.com",
			body:   "<LocationConstraint>eu-west-1</LocationConstraint>",
			want:   "eu-west-1",
		},
		"another region, whose server gets the request": {
			config: Config{},
			region: "ap-south-1",
			host:   "photos.s3.ap-south-1.amazonaws.com",
			body:   "<LocationConstraint>ap-south-1</LocationConstraint>",
			want:   "ap-south-1",
		},
		"back to the first": {
			config: Config{},
			region: "us-east-1",
			host:   "photos.s3.us-east-1.amazonaws.com",
			want:   "us-east-1",
		},
		"a server with one region": {
			config: Config{Endpoint: "https://nyc3.digitaloceanspaces.com", Region: "nyc3"},
			host:   "photos.nyc3.digitaloceanspaces.com",
			want:   "nyc3",
		},
		"its region given again": {
			config: Config{Endpoint: "https://nyc3.digitaloceanspaces.com", Region: "nyc3"},
			region: "nyc3",
			host:   "photos.nyc3.digitaloceanspaces.com",
			want:   "nyc3",
		},
		"another name for a region is sent": {
			config: Config{Endpoint: "https://nyc3.digitaloceanspaces.com", Region: "nyc3"},
			region: "cold",
			host:   "photos.nyc3.digitaloceanspaces.com",
			body:   "<LocationConstraint>cold</LocationConstraint>",
			want:   "nyc3",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, w := newWireService(t, tt.config, private(nil))
			info, err := s.CreateBucket(t.Context(), &driver.BucketRequest{Name: "photos", Region: tt.region})
			require.NoError(t, err)
			require.Equal(t, &storage.BucketInfo{Name: "photos", Region: tt.want}, info)
			require.Equal(t, []string{"HEAD /", "PUT /"}, w.requests)
			require.Equal(t, tt.host, w.hosts["PUT /"])
			if tt.body == "" {
				require.NotContains(t, w.bodies["PUT /"], "LocationConstraint")
			} else {
				require.Contains(t, w.bodies["PUT /"], tt.body)
			}
		})
	}
}

// CreateBucket fails with BucketExists if the bucket exists, even if it is one's own.
func TestCreateBucketExists(t *testing.T) {
	tests := map[string]struct {
		replies map[string]string
		want    storage.Code
	}{
		"an own bucket, for which S3 would return 200": {
			replies: map[string]string{"HEAD /": "200 "},
			want:    storage.BucketExists,
		},
		"an own bucket, created meanwhile": {
			replies: map[string]string{"HEAD /": "404 ", "PUT /": failure(409, "BucketAlreadyOwnedByYou")},
			want:    storage.BucketExists,
		},
		"another's": {
			replies: map[string]string{"HEAD /": "403 ", "PUT /": failure(409, "BucketAlreadyExists")},
			want:    storage.BucketExists,
		},
		"one of another region": {
			replies: map[string]string{"HEAD /": "301 ", "PUT /": failure(409, "BucketAlreadyOwnedByYou")},
			want:    storage.BucketExists,
		},
		"an unknown state": {
			replies: map[string]string{"HEAD /": "500 "},
			want:    storage.Unavailable,
		},
		"a throttled question": {
			replies: map[string]string{"HEAD /": "503 "},
			want:    storage.RateLimited,
		},
		"a forbidden key": {
			replies: map[string]string{"HEAD /": "403 ", "PUT /": failure(403, "AccessDenied")},
			want:    storage.PermissionDenied,
		},
		"an access key of another service": {
			replies: map[string]string{"HEAD /": "403 ", "PUT /": failure(403, "InvalidAccessKeyId")},
			want:    storage.Unauthenticated,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, _ := newWireService(t, Config{}, tt.replies)
			_, err := s.CreateBucket(t.Context(), wiretest.BucketRequest())
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
		})
	}
}

// A new bucket is deleted if a setting fails.
func TestCreateBucketSettingFails(t *testing.T) {
	s, w := newWireService(t, Config{}, private(nil))
	info, err := s.CreateBucket(t.Context(), wiretest.BucketRequest(storage.WithVersioning(true),
		storage.WithPublicAccess(true), storage.WithLifecycle(), storage.WithCORS()))
	require.NoError(t, err)
	require.True(t, info.Versioning)
	require.True(t, info.Public)
	require.Equal(t, []string{"HEAD /", "PUT /", "PUT /?versioning", "GET /?policy", "GET /?publicAccessBlock", "PUT /?policy"}, w.requests)

	s, w = newWireService(t, Config{}, private(map[string]string{
		"PUT /?versioning": failure(403, "AccessDenied"),
	}))
	_, err = s.CreateBucket(t.Context(), wiretest.BucketRequest(storage.WithVersioning(true)))
	require.ErrorIs(t, err, storage.PermissionDenied)
	require.Equal(t, []string{"HEAD /", "PUT /", "PUT /?versioning", "DELETE /"}, w.requests)

	s, w = newWireService(t, Config{}, private(nil))
	_, err = s.CreateBucket(t.Context(),
		wiretest.BucketRequest(storage.WithVersioning(false), storage.WithPublicAccess(false)))
	require.NoError(t, err)
	require.Equal(t, []string{"HEAD /", "PUT /"}, w.requests, "a new bucket is so already")
}

// An update sends only its changes.
func TestUpdateBucketRequests(t *testing.T) {
	looks := []string{
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
			s, w := newWireService(t, Config{}, private(map[string]string{"HEAD /": "200 "}))
			_, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest(tt.option))
			require.NoError(t, err)
			require.Equal(t, tt.want, w.requests[:len(tt.want)])
			require.ElementsMatch(t, looks, w.requests[len(tt.want):])
		})
	}
}

// A bucket is created with object lock.
func TestCreateBucketWithObjectLock(t *testing.T) {
	s, w := newWireService(t, Config{}, private(map[string]string{
		"GET /?object-lock": "200 <ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>",
	}))
	info, err := s.CreateBucket(t.Context(),
		wiretest.BucketRequest(storage.WithObjectLock(), storage.WithDefaultRetention(storage.Compliance, 7)))
	require.NoError(t, err)
	require.True(t, info.ObjectLock && info.Versioning)
	require.Equal(t, storage.DefaultRetention{Mode: storage.Compliance, Days: 7}, info.DefaultRetention)
	require.Equal(t, []string{"HEAD /", "PUT /", "GET /?object-lock", "PUT /?object-lock"}, w.requests)
	require.Equal(t, "true", w.headers["PUT /"].Get("X-Amz-Bucket-Object-Lock-Enabled"))
	require.Contains(t, w.bodies["PUT /?object-lock"], "<Days>7</Days><Mode>COMPLIANCE</Mode>")
	require.NotEmpty(t, w.headers["PUT /?object-lock"].Get("X-Amz-Checksum-Crc32"))
}

// A bucket is made public.
func TestUpdateBucketPublic(t *testing.T) {
	blocked := `200 <PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>`
	s, w := newWireService(t, Config{Region: "cn-north-1"}, private(map[string]string{
		"HEAD /":                  "200 ",
		"GET /?publicAccessBlock": blocked,
	}))
	_, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithPublicAccess(true)))
	require.NoError(t, err)
	require.Equal(t, []string{"GET /?policy", "GET /?publicAccessBlock", "PUT /?publicAccessBlock", "PUT /?policy"}, w.requests[:4], "the block comes off first")
	require.Contains(t, w.bodies["PUT /?publicAccessBlock"], "<BlockPublicAcls>true</BlockPublicAcls><BlockPublicPolicy>false</BlockPublicPolicy><IgnorePublicAcls>true</IgnorePublicAcls><RestrictPublicBuckets>false</RestrictPublicBuckets>")
	require.JSONEq(t, `{"Version":"2012-10-17","Statement":[{"Sid":"OmnibucketPublicRead","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws-cn:s3:::photos/*"}]}`, w.bodies["PUT /?policy"])

	t.Run("if it is public already", func(t *testing.T) {
		policy, err := json.Marshal(map[string]any{
			"Statement": map[string]any{
				"Effect":    "Allow",
				"Principal": "*",
				"Action":    "s3:GetObject",
				"Resource":  "arn:aws:s3:::photos/*",
			},
		})
		require.NoError(t, err)
		s, w := newWireService(t, Config{}, private(map[string]string{
			"HEAD /":       "200 ",
			"GET /?policy": "200 " + string(policy),
		}))
		info, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithPublicAccess(true)))
		require.NoError(t, err)
		require.True(t, info.Public)
		require.NotContains(t, w.requests, "PUT /?policy")
	})
	t.Run("not public because of the block", func(t *testing.T) {
		policy := `{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"}}`
		s, _ := newWireService(t, Config{}, private(map[string]string{
			"HEAD /":                  "200 ",
			"GET /?policy":            "200 " + policy,
			"GET /?publicAccessBlock": blocked,
		}))
		info, err := s.BucketInfo(t.Context(), "photos")
		require.NoError(t, err)
		require.False(t, info.Public)
	})
	t.Run("by an ACL, if the server has no policies", func(t *testing.T) {
		b2, ok := NamedProfile("b2")
		require.True(t, ok)
		grants := `200 <AccessControlPolicy><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group"><URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>`
		s, w := newWireService(t, Config{Endpoint: "https://s3.us-west-004.backblazeb2.com", Profile: &b2},
			private(map[string]string{"HEAD /": "200 ", "GET /?acl": grants}))

		info, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithPublicAccess(true)))
		require.NoError(t, err)
		require.True(t, info.Public)
		require.Equal(t, "PUT /?acl", w.requests[0])
		require.Equal(t, "public-read", w.headers["PUT /?acl"].Get("X-Amz-Acl"))
	})
}

// An update that has succeeded tells which settings could not be read after it.
func TestUpdateBucketUnread(t *testing.T) {
	s, _ := newWireService(t, Config{}, private(map[string]string{
		"HEAD /":           failure(403, "AccessDenied"),
		"PUT /?versioning": "200 ",
	}))
	info, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithVersioning(true)))
	require.NoError(t, err)
	require.True(t, info.Versioning)
	require.Equal(t, []string{"Public", "CORS", "Lifecycle", "ObjectLock", "DefaultRetention"}, info.Unread)
}

func TestCORSRules(t *testing.T) {
	rule := storage.CORSRule{
		Origins:        []string{"https://a.example", "https://b.example"},
		Methods:        []string{"GET", "PUT"},
		AllowedHeaders: []string{"*"},
		ExposedHeaders: []string{"ETag"},
		MaxAge:         time.Hour,
	}
	s, w := newWireService(t, Config{}, private(map[string]string{"HEAD /": "200 "}))
	_, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithCORS(rule)))
	require.NoError(t, err)
	body := w.bodies["PUT /?cors"]
	require.Contains(t, body, "<MaxAgeSeconds>3600</MaxAgeSeconds>")

	s, _ = newWireService(t, Config{}, private(map[string]string{
		"HEAD /":     "200 ",
		"GET /?cors": "200 " + body,
	}))
	info, err := s.BucketInfo(t.Context(), "photos")
	require.NoError(t, err)
	require.Equal(t, []storage.CORSRule{rule}, info.CORS)
}

func TestLifecycleRules(t *testing.T) {
	rules := []storage.LifecycleRule{
		{ID: "tmp", Prefix: "tmp/", ExpireAfterDays: 3, AbortUploadsAfterDays: 1},
		{ID: "old", ExpireOldVersionsAfterDays: 30, TransitionAfterDays: 90, TransitionTo: "GLACIER"},
	}
	s, w := newWireService(t, Config{}, private(map[string]string{"HEAD /": "200 "}))
	_, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithLifecycle(rules...)))
	require.NoError(t, err)
	body := w.bodies["PUT /?lifecycle"]
	require.Contains(t, body, "<Filter><Prefix></Prefix></Filter>")

	s, _ = newWireService(t, Config{}, private(map[string]string{
		"HEAD /":          "200 ",
		"GET /?lifecycle": "200 " + body,
	}))
	info, err := s.BucketInfo(t.Context(), "photos")
	require.NoError(t, err)
	require.Equal(t, rules, info.Lifecycle)
}

// B2 returns each rule that hides objects as two:
// https://www.backblaze.com/apidocs/s3-get-lifecycle-configuration
func TestLifecycleRulesOnB2(t *testing.T) {
	b2, ok := NamedProfile("b2")
	require.True(t, ok)
	response := `200 <LifecycleConfiguration><Rule><ID>tmp</ID><Filter><Prefix>tmp/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>3</Days></Expiration></Rule>` +
		`<Rule><ID>tmp-2</ID><Filter><Prefix>tmp/</Prefix></Filter><Status>Enabled</Status><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration></Rule></LifecycleConfiguration>`
	rule := storage.LifecycleRule{ID: "tmp", Prefix: "tmp/", ExpireAfterDays: 3}
	s, w := newWireService(t, Config{Endpoint: "https://s3.us-west-004.backblazeb2.com", Profile: &b2},
		private(map[string]string{"HEAD /": "200 ", "GET /?lifecycle": response}))

	info, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithLifecycle(rule)))
	require.NoError(t, err)
	require.Equal(t, []storage.LifecycleRule{rule}, info.Lifecycle)
	require.Equal(t, "PUT /?lifecycle", w.requests[0])
	require.NotEmpty(t, w.headers["PUT /?lifecycle"].Get("Content-Md5"))
}

func TestLifecycleRulesOfOthers(t *testing.T) {
	tests := map[string]struct {
		rule string
		want []storage.LifecycleRule
	}{
		"a prefix in the old form": {
			rule: `<ID>a</ID><Status>Enabled</Status><Prefix>x/</Prefix><Expiration><Days>1</Days></Expiration>`,
			want: []storage.LifecycleRule{{ID: "a", Prefix: "x/", ExpireAfterDays: 1}},
		},
		"only a prefix": {
			rule: `<ID>a</ID><Status>Enabled</Status><Filter><And><Prefix>x/</Prefix></And></Filter><Expiration><Days>1</Days></Expiration>`,
			want: []storage.LifecycleRule{{ID: "a", Prefix: "x/", ExpireAfterDays: 1}},
		},
		"two steps": {
			rule: `<ID>a</ID><Status>Enabled</Status><Filter/><Transition><Days>30</Days><StorageClass>STANDARD_IA</StorageClass></Transition><Transition><Days>90</Days><StorageClass>GLACIER</StorageClass></Transition>`,
			want: []storage.LifecycleRule{
				{ID: "a", TransitionAfterDays: 30, TransitionTo: "STANDARD_IA"},
				{ID: "a-2", TransitionAfterDays: 90, TransitionTo: "GLACIER"},
			},
		},
		"a disabled rule": {
			rule: `<ID>a</ID><Status>Disabled</Status><Filter/><Expiration><Days>1</Days></Expiration>`,
		},
		"a tag": {
			rule: `<ID>a</ID><Status>Enabled</Status><Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter><Expiration><Days>1</Days></Expiration>`,
			want: []storage.LifecycleRule{{ID: "a", Tags: map[string]string{"k": "v"}, ExpireAfterDays: 1}},
		},
		"two tags": {
			rule: `<ID>a</ID><Status>Enabled</Status><Filter><And><Tag><Key>k</Key><Value>v</Value></Tag><Tag><Key>l</Key><Value>w</Value></Tag></And></Filter><Expiration><Days>1</Days></Expiration>`,
			want: []storage.LifecycleRule{
				{ID: "a", Tags: map[string]string{"k": "v", "l": "w"}, ExpireAfterDays: 1},
			},
		},
		"a size": {
			rule: `<ID>a</ID><Status>Enabled</Status><Filter><And><Prefix>x</Prefix><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></And></Filter><Expiration><Days>1</Days></Expiration>`,
		},
		"a date": {
			rule: `<ID>a</ID><Status>Enabled</Status><Filter/><Expiration><Date>2030-01-01T00:00:00Z</Date></Expiration>`,
		},
		"a number of versions": {
			rule: `<ID>a</ID><Status>Enabled</Status><Filter/><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>3</NewerNoncurrentVersions></NoncurrentVersionExpiration>`,
		},
		"markers left by others": {
			rule: `<ID>a</ID><Status>Enabled</Status><Filter/><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, _ := newWireService(t, Config{}, private(map[string]string{
				"HEAD /":          "200 ",
				"GET /?lifecycle": "200 <LifecycleConfiguration><Rule>" + tt.rule + "</Rule></LifecycleConfiguration>",
			}))
			info, err := s.BucketInfo(t.Context(), "photos")
			require.NoError(t, err)
			require.Equal(t, tt.want, info.Lifecycle)
		})
	}
}

// If a server drops the tags of rules, the rules from before are restored.
func TestLifecycleRulesDroppedTags(t *testing.T) {
	minio, ok := NamedProfile("minio")
	require.True(t, ok)
	rulesAfter := `<LifecycleConfiguration><Rule><ID>b</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>`
	s, w := newWireService(t, Config{Endpoint: "http://127.0.0.1:9000", Profile: &minio},
		map[string]string{"GET /photos?lifecycle": "200 " + rulesAfter})

	_, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithLifecycle(storage.LifecycleRule{
		ID:              "b",
		Tags:            map[string]string{"k": "v"},
		ExpireAfterDays: 1,
	})))
	require.ErrorIs(t, err, storage.Unsupported)
	require.Contains(t, s3error.Of(err).Hint, "tags")
	require.Equal(t, []string{"GET /photos?lifecycle", "PUT /photos?lifecycle", "GET /photos?lifecycle", "PUT /photos?lifecycle"}, w.requests)
	require.NotContains(t, w.bodies["PUT /photos?lifecycle"], "Tag")
}

// A setting that the server lacks is unsupported, and no request is sent.
func TestBucketSettingsLacking(t *testing.T) {
	garage, ok := NamedProfile("garage")
	require.True(t, ok)
	for name, option := range map[string]storage.BucketOption{
		"object lock":         storage.WithObjectLock(),
		"a default retention": storage.WithDefaultRetention(storage.Governance, 1),
		"tags of rules": storage.WithLifecycle(storage.LifecycleRule{
			Tags:            map[string]string{"k": "v"},
			ExpireAfterDays: 1,
		}),
	} {
		t.Run(name, func(t *testing.T) {
			s, w := newWireService(t, Config{Endpoint: "http://127.0.0.1:9000", Profile: &garage}, nil)
			_, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest(option))
			require.ErrorIs(t, err, storage.Unsupported)
			_, err = s.CreateBucket(t.Context(), wiretest.BucketRequest(option))
			require.ErrorIs(t, err, storage.Unsupported)
			require.Empty(t, w.requests)
		})
	}
}

// A default retention in years is told in days.
func TestBucketInfoRetentionInYears(t *testing.T) {
	s, _ := newWireService(t, Config{}, private(map[string]string{
		"HEAD /": "200 ", "GET /?object-lock": "200 <ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Years>2</Years></DefaultRetention></Rule></ObjectLockConfiguration>",
	}))
	info, err := s.BucketInfo(t.Context(), "photos")
	require.NoError(t, err)
	require.True(t, info.ObjectLock)
	require.Equal(t, storage.DefaultRetention{Mode: storage.Compliance, Days: 730}, info.DefaultRetention)
}

// If a server drops rules, the rules from before are restored.
func TestLifecycleRulesDropped(t *testing.T) {
	rulesBefore := `<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Filter><Prefix>x/</Prefix></Filter><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>`
	minio, ok := NamedProfile("minio")
	require.True(t, ok)
	s, w := newWireService(t, Config{Endpoint: "http://127.0.0.1:9000", Profile: &minio},
		map[string]string{"GET /photos?lifecycle": "200 " + rulesBefore})

	_, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithLifecycle(storage.LifecycleRule{
		ID:                    "b",
		ExpireAfterDays:       1,
		AbortUploadsAfterDays: 2,
	})))
	require.ErrorIs(t, err, storage.Unsupported)
	require.Equal(t, []string{"GET /photos?lifecycle", "PUT /photos?lifecycle", "GET /photos?lifecycle", "PUT /photos?lifecycle"}, w.requests)
	require.Contains(t, w.bodies["PUT /photos?lifecycle"], "<ID>a</ID>")
	require.NotEmpty(t, w.headers["PUT /photos?lifecycle"].Get("Content-Md5"), "which older servers require")
}

// If the server refuses a lifecycle rule that only aborts uploads, UpdateBucket fails with Unsupported.
func TestLifecycleRulesOnlyAbortUploads(t *testing.T) {
	minio, ok := NamedProfile("minio")
	require.True(t, ok)
	responses := map[string]string{
		"GET /photos?lifecycle": failure(404, "NoSuchLifecycleConfiguration"),
		"PUT /photos?lifecycle": failure(400, "MalformedXML"),
	}
	tests := map[string]struct {
		rules []storage.LifecycleRule
		want  storage.Code
	}{
		"one that only aborts uploads": {
			rules: []storage.LifecycleRule{{AbortUploadsAfterDays: 3}},
			want:  storage.Unsupported,
		},
		"one with other rules": {
			rules: []storage.LifecycleRule{{ExpireAfterDays: 1}, {Prefix: "up/", AbortUploadsAfterDays: 3}},
			want:  storage.Unsupported,
		},
		"one that also expires objects": {
			rules: []storage.LifecycleRule{{ExpireAfterDays: 1, AbortUploadsAfterDays: 3}},
			want:  storage.InvalidArgument,
		},
		"none: another error": {
			rules: []storage.LifecycleRule{{ExpireAfterDays: 1}},
			want:  storage.InvalidArgument,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, _ := newWireService(t, Config{Endpoint: "http://127.0.0.1:9000", Profile: &minio}, responses)
			_, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithLifecycle(tt.rules...)))
			require.ErrorIs(t, err, tt.want)
		})
	}
}

// Missing settings are unsupported.
func TestUpdateBucketSettingLacking(t *testing.T) {
	bare := Profile{Name: "bare"}
	for name, option := range map[string]storage.BucketOption{
		"public access": storage.WithPublicAccess(true),
		"private":       storage.WithPublicAccess(false),
		"versions":      storage.WithVersioning(true),
		"CORS":          storage.WithCORS(),
		"lifecycle":     storage.WithLifecycle(),
	} {
		t.Run(name, func(t *testing.T) {
			s, w := newWireService(t, Config{Endpoint: "http://127.0.0.1:9000", Profile: &bare}, nil)
			for _, err := range []error{
				func() error {
					_, err := s.CreateBucket(t.Context(), wiretest.BucketRequest(option))
					return err
				}(),
				func() error {
					_, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest(option))
					return err
				}(),
			} {
				require.ErrorIs(t, err, storage.Unsupported)
				require.NotEmpty(t, err.(*storage.Error).Hint)
			}
			require.Empty(t, w.requests)
		})
	}

	s, w := newWireService(t, Config{Endpoint: "http://127.0.0.1:9000", Profile: &bare}, nil)
	_, err := s.BucketInfo(t.Context(), "photos")
	require.NoError(t, err)
	require.Equal(t, []string{"HEAD /photos"}, w.requests,
		"no request for a setting that the server does not have")
}

// BucketInfo fails if a setting may not be read, tells which, and returns the others. A program
// that adds a rule to an empty list would otherwise remove the rules that it could not see. AWS has
// a permission for each setting, and R2's tokens for objects have none.
func TestBucketInfoUnreadableSettings(t *testing.T) {
	cors := `200 <CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>`
	denied := failure(403, "AccessDenied")
	s, _ := newWireService(t, Config{}, private(map[string]string{
		"HEAD /":           "200 ",
		"GET /?policy":     denied,
		"GET /?versioning": denied,
		"GET /?lifecycle":  denied,
		"GET /?cors":       cors,
	}))
	info, err := s.BucketInfo(t.Context(), "photos")
	require.ErrorIs(t, err, storage.PermissionDenied)
	require.ErrorContains(t, err, "s3:GetBucketPolicy, s3:GetBucketVersioning, s3:GetLifecycleConfiguration")
	want := &storage.BucketInfo{
		Name:   "photos",
		Region: "eu-west-1",
		CORS:   []storage.CORSRule{{Origins: []string{"*"}, Methods: []string{"GET"}}},
		Unread: []string{"Public", "Versioning", "Lifecycle"},
	}
	require.Equal(t, want, info)

	info, err = s.UpdateBucket(t.Context(), wiretest.BucketRequest())
	require.NoError(t, err)
	require.Equal(t, want, info)
}

// The error of BucketInfo names the permission of the request that the server refused. Whether a
// bucket is public depends on its policy, then on the block of public access, and on a server
// without policies on the ACL.
func TestBucketInfoNamesRefusedPermission(t *testing.T) {
	policy := `200 {"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"}}`
	denied := failure(403, "AccessDenied")
	b2, ok := NamedProfile("b2")
	require.True(t, ok)
	tests := []struct {
		name    string
		config  Config
		replies map[string]string
		want    string
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
			config:  Config{Endpoint: "https://s3.us-west-004.backblazeb2.com", Profile: &b2},
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
			replies := private(map[string]string{
				"HEAD /":            "200 ",
				"GET /?object-lock": failure(404, "ObjectLockConfigurationNotFoundError"),
			})
			maps.Copy(replies, tt.replies)
			s, _ := newWireService(t, tt.config, replies)
			_, err := s.BucketInfo(t.Context(), "photos")
			require.ErrorIs(t, err, storage.PermissionDenied)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// UpdateBucket succeeds even if the settings cannot be read after the change.
func TestUpdateBucketReadFails(t *testing.T) {
	rule := storage.CORSRule{Origins: []string{"*"}, Methods: []string{"GET"}}
	denied := failure(403, "AccessDenied")
	busy := failure(503, "SlowDown")

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
			s, w := newWireService(t, Config{}, private(replies))
			info, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithCORS(rule)))
			require.NoError(t, err)
			require.Equal(t, []storage.CORSRule{rule}, info.CORS, "which was set")
			require.Equal(t, "PUT /?cors", w.requests[0])
		})
	}

	t.Run("an update without changes only reads", func(t *testing.T) {
		s, _ := newWireService(t, Config{}, private(map[string]string{"HEAD /": denied}))
		_, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest())
		require.ErrorIs(t, err, storage.PermissionDenied)
	})
}

// MinIO answers 200 to the versioning of a bucket that is missing.
func TestUpdateBucketMissing(t *testing.T) {
	s, _ := newWireService(t, Config{}, map[string]string{"PUT /?versioning": "200 ", "HEAD /": "404 "})
	_, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithVersioning(true)))
	require.ErrorIs(t, err, storage.BucketNotFound)
}

// If the policy cannot be read, UpdateBucket changes nothing about public access.
func TestUpdateBucketPublicDenied(t *testing.T) {
	for _, public := range []bool{true, false} {
		s, w := newWireService(t, Config{}, private(map[string]string{
			"HEAD /":       "200 ",
			"GET /?policy": failure(403, "AccessDenied"),
		}))
		_, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithPublicAccess(public)))
		require.ErrorIs(t, err, storage.PermissionDenied)
		require.Equal(t, []string{"GET /?policy"}, w.requests)
	}
}

func TestBucketInfoErrors(t *testing.T) {
	tests := map[string]struct {
		replies map[string]string
		want    storage.Code
	}{
		"a missing bucket": {replies: private(nil), want: storage.BucketNotFound},
		"a setting that fails": {
			replies: private(map[string]string{"HEAD /": "200 ", "GET /?cors": failure(503, "SlowDown")}),
			want:    storage.RateLimited,
		},
		"a bucket that was deleted meanwhile": {
			replies: private(map[string]string{
				"HEAD /":           "200 ",
				"GET /?versioning": failure(404, "NoSuchBucket"),
			}),
			want: storage.BucketNotFound,
		},
		"settings that the server does not have": {
			replies: private(map[string]string{
				"HEAD /":           "200 ",
				"GET /?cors":       failure(501, "NotImplemented"),
				"GET /?versioning": failure(405, "MethodNotAllowed"),
			}),
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, _ := newWireService(t, Config{}, tt.replies)
			_, err := s.BucketInfo(t.Context(), "photos")
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
		})
	}
}

// Buckets are listed in pages.
func TestListBucketsPages(t *testing.T) {
	const bucket = `<Bucket><Name>%s</Name><CreationDate>2026-01-02T03:04:05.000Z</CreationDate><BucketRegion>eu-west-1</BucketRegion></Bucket>`
	s, w := newWireService(t, Config{}, map[string]string{
		"GET /?max-buckets":        "200 <ListAllMyBucketsResult><Buckets>" + fmt.Sprintf(bucket, "b") + fmt.Sprintf(bucket, "a") + "</Buckets><ContinuationToken>more</ContinuationToken></ListAllMyBucketsResult>",
		"GET /?continuation-token": "200 <ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>",
	})
	page, token, err := s.ListBuckets(t.Context(), "")
	require.NoError(t, err)

	created := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	require.Equal(t, []storage.BucketInfo{{Name: "a", Region: "eu-west-1", Created: created}, {Name: "b", Region: "eu-west-1", Created: created}}, page)
	require.Equal(t, "more", token)
	require.Equal(t, "s3.eu-west-1.amazonaws.com", w.hosts["GET /?max-buckets"])
}

// The deletion of a bucket that is not empty is BucketNotEmpty.
func TestDeleteBucketNotEmpty(t *testing.T) {
	s, _ := newWireService(t, Config{}, map[string]string{"DELETE /": failure(409, "BucketNotEmpty")})
	require.ErrorIs(t, s.DeleteBucket(t.Context(), "photos"), storage.BucketNotEmpty)
}

// A service returns the credentials of its account.
func TestServiceCredentials(t *testing.T) {
	for endpoint, want := range map[string]string{
		"":                      "https://s3.eu-west-1.amazonaws.com",
		"http://127.0.0.1:9000": "http://127.0.0.1:9000",
	} {
		s, w := newWireService(t, Config{Endpoint: endpoint}, nil)
		c, err := s.Credentials(t.Context(), "photos")
		require.NoError(t, err)
		require.Equal(t, &storage.Credentials{Endpoint: want, Region: "eu-west-1", Bucket: "photos", AccessKeyID: "AKID", SecretKey: "secret"}, c)
		require.Empty(t, w.requests)
	}
	d, err := NewServiceDriver(t.Context(), Config{Region: "eu-west-1", Anonymous: true})
	require.NoError(t, err)
	_, err = d.Credentials(t.Context(), "photos")
	require.ErrorIs(t, err, storage.Unsupported)
}

// A service refuses a bucket name.
func TestNewServiceRefusesBucket(t *testing.T) {
	_, err := NewService(t.Context(), Config{Bucket: "photos", Region: "eu-west-1"})
	require.ErrorIs(t, err, storage.InvalidArgument)
}
