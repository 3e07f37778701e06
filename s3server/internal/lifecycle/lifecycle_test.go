package lifecycle_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/lifecycle"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/tagging"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// rule is an enabled rule about keys with a prefix.
func rule(prefix, actions string) string {
	return "<Rule><ID>" + prefix + "</ID><Filter><Prefix>" + prefix + "</Prefix></Filter><Status>Enabled</Status>" + actions + "</Rule>"
}

// with is an enabled rule with a filter.
func with(filter, actions string) string {
	return "<Rule><ID>r</ID>" + filter + "<Status>Enabled</Status>" + actions + "</Rule>"
}

// parse parses a document with these rules.
func parse(rules string) (*lifecycle.Configuration, error) {
	c := &lifecycle.Configuration{Least: lifecycle.SmallAnywhere}
	if err := xmldoc.Parse([]byte("<LifecycleConfiguration>"+rules+"</LifecycleConfiguration>"), c); err != nil {
		return nil, err
	}
	return c, c.Check()
}

// Parsing refuses these lifecycle rules.
func TestRulesRefused(t *testing.T) {
	const all, expire = "<Filter/>", "<Expiration><Days>7</Days></Expiration>"
	const tag = "<Tag><Key>k</Key><Value>v</Value></Tag>"
	tests := map[string]struct{ rules, code, message string }{
		"no rule": {rules: "", code: "MalformedXML", message: ""},
		"an unknown element": {
			rules:   rule("a", expire+"<Color/>"),
			code:    "MalformedXML",
			message: "",
		},
		"no filter": {rules: with("", expire), code: "MalformedXML", message: ""},
		"a filter and a prefix": {
			rules:   with("<Filter/><Prefix/>", expire),
			code:    "MalformedXML",
			message: "",
		},
		"two conditions": {
			rules:   with("<Filter><Prefix>a</Prefix><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></Filter>", expire),
			code:    "MalformedXML",
			message: "",
		},
		"And and a condition": {
			rules:   with("<Filter><And><Prefix>a</Prefix></And><Prefix>a</Prefix></Filter>", expire),
			code:    "MalformedXML",
			message: "",
		},
		"a tag twice": {
			rules:   with("<Filter><And>"+tag+tag+"</And></Filter>", expire),
			code:    "InvalidRequest",
			message: "Duplicate Tag Keys are not allowed.",
		},
		"no action": {
			rules:   with(all, ""),
			code:    "InvalidRequest",
			message: "At least one action needs to be specified in a rule.",
		},
		"an unknown status": {
			rules:   "<Rule><Filter/><Status>enabled</Status>" + expire + "</Rule>",
			code:    "MalformedXML",
			message: "",
		},
		"an ID twice": {
			rules:   with(all, expire) + with(all, expire),
			code:    "InvalidArgument",
			message: "",
		},
		"a long ID": {
			rules:   rule(strings.Repeat("a", 256), expire),
			code:    "InvalidArgument",
			message: "",
		},
		"no days": {
			rules:   with(all, "<Expiration><Days>0</Days></Expiration>"),
			code:    "InvalidArgument",
			message: "'Days' for Expiration action must be a positive integer",
		},
		"days and a date": {
			rules:   with(all, "<Expiration><Days>1</Days><Date>2030-01-01T00:00:00Z</Date></Expiration>"),
			code:    "MalformedXML",
			message: "",
		},
		"days and markers": {
			rules: with(all,
				"<Expiration><Days>1</Days><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"),
			code:    "MalformedXML",
			message: "",
		},
		"markers with a tag": {
			rules: with("<Filter>"+tag+"</Filter>",
				"<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"),
			code:    "InvalidRequest",
			message: "",
		},
		"an invalid date": {
			rules:   with(all, "<Expiration><Date>20300101</Date></Expiration>"),
			code:    "MalformedXML",
			message: "",
		},
		"a date at noon": {
			rules:   with(all, "<Expiration><Date>2030-01-01T12:00:00Z</Date></Expiration>"),
			code:    "InvalidArgument",
			message: "'Date' must be at midnight GMT",
		},
		"an unknown class": {
			rules:   with(all, "<Transition><Days>1</Days><StorageClass>COLD</StorageClass></Transition>"),
			code:    "MalformedXML",
			message: "",
		},
		"a class too early": {
			rules: with(all,
				"<Transition><Days>29</Days><StorageClass>STANDARD_IA</StorageClass></Transition>"),
			code:    "InvalidArgument",
			message: "",
		},
		"a class twice": {
			rules: with(all,
				strings.Repeat("<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>", 2)),
			code:    "InvalidRequest",
			message: "",
		},
		"a transition after the end": {
			rules: with(all,
				expire+"<Transition><Days>7</Days><StorageClass>GLACIER</StorageClass></Transition>"),
			code:    "InvalidArgument",
			message: "",
		},
		"a transition at a bad date": {
			rules: with(all,
				"<Transition><Date>soon</Date><StorageClass>GLACIER</StorageClass></Transition>"),
			code:    "MalformedXML",
			message: "",
		},
		"days mixed with a date": {
			rules: with(all,
				expire+"<Transition><Date>2030-01-01T00:00:00Z</Date><StorageClass>GLACIER</StorageClass></Transition>"),
			code:    "InvalidRequest",
			message: "",
		},
		"empty noncurrent expiration": {
			rules:   with(all, "<NoncurrentVersionExpiration/>"),
			code:    "MalformedXML",
			message: "",
		},
		"no noncurrent days": {
			rules: with(all,
				"<NoncurrentVersionExpiration><NoncurrentDays>0</NoncurrentDays></NoncurrentVersionExpiration>"),
			code:    "InvalidArgument",
			message: "",
		},
		"many noncurrent versions": {
			rules: with(all,
				"<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>101</NewerNoncurrentVersions></NoncurrentVersionExpiration>"),
			code:    "InvalidArgument",
			message: "",
		},
		"an abortion without days": {
			rules:   with(all, "<AbortIncompleteMultipartUpload/>"),
			code:    "MalformedXML",
			message: "",
		},
		"an abortion at once": {
			rules: with(all,
				"<AbortIncompleteMultipartUpload><DaysAfterInitiation>0</DaysAfterInitiation></AbortIncompleteMultipartUpload>"),
			code:    "InvalidArgument",
			message: "",
		},
		"an abortion of tagged things": {
			rules: with("<Filter>"+tag+"</Filter>",
				"<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"),
			code:    "InvalidRequest",
			message: "",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := parse(tt.rules)
			require.True(t, s3error.Is(err, tt.code), err)
			require.ErrorContains(t, err, tt.message)
		})
	}
}

var written = time.Date(2026, 3, 1, 15, 0, 0, 0, time.UTC)

// at returns a clock with days of AWS, some time after the objects were written.
func at(d time.Duration) lifecycle.Clock {
	return lifecycle.Clock{Now: written.Add(d), Day: lifecycle.FullDay}
}

// A filter selects objects.
func TestRuleFilters(t *testing.T) {
	const one, two = "<Tag><Key>a</Key><Value>1</Value></Tag>", "<Tag><Key>b</Key><Value>2</Value></Tag>"
	versions := map[string]lifecycle.Version{
		"large":        {Size: 6},
		"small":        {Size: 1},
		"tagged":       {Size: 3, Tags: []tagging.Tag{{Key: "a", Value: "1"}}},
		"tagged-twice": {Size: 3, Tags: []tagging.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}},
		"marker":       {Marker: true},
	}
	tests := map[string]struct {
		filter  string
		expired []string
	}{
		"everything":    {"<Filter/>", []string{"large", "marker", "small", "tagged", "tagged-twice"}},
		"a prefix":      {"<Filter><Prefix>tag</Prefix></Filter>", []string{"tagged", "tagged-twice"}},
		"an old prefix": {"<Prefix>tag</Prefix>", []string{"tagged", "tagged-twice"}},
		"a tag":         {"<Filter>" + one + "</Filter>", []string{"tagged", "tagged-twice"}},
		"tags":          {"<Filter><And>" + one + two + "</And></Filter>", []string{"tagged-twice"}},
		"prefix and tag": {
			"<Filter><And><Prefix>tagged-t</Prefix>" + one + "</And></Filter>",
			[]string{"tagged-twice"},
		},
		"larger": {
			"<Filter><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></Filter>", []string{"large"},
		},
		"smaller": {
			"<Filter><ObjectSizeLessThan>6</ObjectSizeLessThan></Filter>",
			[]string{"small", "tagged", "tagged-twice"},
		},
		"between": {
			"<Filter><And><ObjectSizeGreaterThan>1</ObjectSizeGreaterThan><ObjectSizeLessThan>6</ObjectSizeLessThan></And></Filter>",
			[]string{"tagged", "tagged-twice"},
		},
		"another tag's name": {"<Filter><Tag><Key>a</Key><Value>2</Value></Tag></Filter>", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := parse(with(tt.filter, "<Expiration><Days>1</Days></Expiration>"))
			require.NoError(t, err)
			var expired []string
			for key, v := range versions {
				v.Key = key
				v.Modified = written
				if c.Action([]lifecycle.Version{v}, 0, at(72*time.Hour)).Expire {
					expired = append(expired, key)
				}
			}
			require.ElementsMatch(t, tt.expired, expired)
		})
	}
}

// For each version of an object, the rules decide whether it is deleted, archived or kept.
func TestRuleActions(t *testing.T) {
	const kib = 1 << 10
	current := lifecycle.Version{Key: "k", Size: 200 * kib, Class: "STANDARD", Modified: written}
	older := lifecycle.Version{
		Key:      "k",
		Size:     200 * kib,
		Class:    "STANDARD",
		Modified: written.Add(-time.Hour),
	}
	small := lifecycle.Version{Key: "k", Size: kib, Class: "STANDARD", Modified: written}
	cold := lifecycle.Version{Key: "k", Size: 200 * kib, Class: "DEEP_ARCHIVE", Modified: written}
	marker := lifecycle.Version{Key: "k", Marker: true, Modified: written}
	const afterADay, glacier = "<Expiration><Days>1</Days></Expiration>", "<Transition><Days>0</Days><StorageClass>GLACIER</StorageClass></Transition>"
	const noncurrent = "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>"
	const markers = "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"
	type versions = []lifecycle.Version

	tests := map[string]struct {
		rules    string
		versions versions
		i        int
		later    time.Duration
		action   lifecycle.Action
	}{
		"the day before the midnight": {
			rules:    rule("", afterADay),
			versions: versions{current},
			later:    32 * time.Hour,
			action:   lifecycle.Action{},
		},
		"the midnight after the day": {
			rules:    rule("", afterADay),
			versions: versions{current},
			later:    33 * time.Hour,
			action:   lifecycle.Action{Expire: true},
		},
		"a rule that is disabled": {
			rules:    strings.Replace(rule("", afterADay), "Enabled", "Disabled", 1),
			versions: versions{current},
			later:    99 * time.Hour,
			action:   lifecycle.Action{},
		},
		"a noncurrent version, by its heir": {
			rules:    rule("", noncurrent),
			versions: versions{current, older},
			i:        1,
			later:    33 * time.Hour,
			action:   lifecycle.Action{Expire: true},
		},
		"a noncurrent version, too early": {
			rules:    rule("", noncurrent),
			versions: versions{current, older},
			i:        1,
			later:    32 * time.Hour,
			action:   lifecycle.Action{},
		},
		"the current version beside it": {
			rules:    rule("", noncurrent),
			versions: versions{current, older},
			later:    99 * time.Hour,
			action:   lifecycle.Action{},
		},
		"one noncurrent version is kept": {
			rules: rule("",
				"<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>1</NewerNoncurrentVersions></NoncurrentVersionExpiration>"),
			versions: versions{current, older},
			i:        1,
			later:    99 * time.Hour,
			action:   lifecycle.Action{},
		},
		"a delete marker with versions": {
			rules:    rule("", markers),
			versions: versions{marker, older},
			later:    time.Hour,
			action:   lifecycle.Action{},
		},
		"a delete marker without versions": {
			rules:    rule("", markers),
			versions: versions{marker},
			later:    time.Hour,
			action:   lifecycle.Action{Expire: true},
		},
		"another class": {
			rules:    rule("", glacier),
			versions: versions{current},
			later:    24 * time.Hour,
			action:   lifecycle.Action{Class: "GLACIER"},
		},
		"a warmer class": {
			rules:    rule("", glacier),
			versions: versions{cold},
			later:    24 * time.Hour,
			action:   lifecycle.Action{},
		},
		"another class of a small object": {
			rules:    rule("", glacier),
			versions: versions{small},
			later:    24 * time.Hour,
			action:   lifecycle.Action{},
		},
		"an expiration and another class": {
			rules:    rule("a", glacier) + rule("", afterADay),
			versions: versions{current},
			later:    33 * time.Hour,
			action:   lifecycle.Action{Expire: true},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := parse(tt.rules)
			require.NoError(t, err)
			require.Equal(t, tt.action, c.Action(tt.versions, tt.i, at(tt.later)))
		})
	}
}

// If several rules apply to an upload, the earliest one ends it.
func TestRulesEarliestEndsUpload(t *testing.T) {
	abort := func(days string) string {
		return "<AbortIncompleteMultipartUpload><DaysAfterInitiation>" + days + "</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
	}
	c, err := parse(rule("", abort("7")) + rule("a/", abort("1")))
	require.NoError(t, err)
	require.Equal(t, "a/", c.Abortion("a/k", written, at(0)).Rule)
	require.Equal(t, time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC), c.Abortion("a/k", written, at(0)).At)
	require.Equal(t, time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC), c.Abortion("b/k", written, at(0)).At)
}
