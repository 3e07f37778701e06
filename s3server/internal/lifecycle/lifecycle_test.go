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

// with returns an enabled rule with a filter and actions.
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

// Lifecycle rules are refused if their document is malformed, or if their conditions or actions are invalid.
func TestRulesRefused(t *testing.T) {
	const all, expire = "<Filter/>", "<Expiration><Days>7</Days></Expiration>"
	const tag = "<Tag><Key>k</Key><Value>v</Value></Tag>"
	tests := []struct {
		name        string
		rules       string
		wantCode    string
		wantMessage string // a part of the message
	}{
		{name: "rules missing", wantCode: "MalformedXML"},
		{name: "unknown element", rules: rule("a", expire+"<Color/>"), wantCode: "MalformedXML"},
		{name: "filter missing", rules: with("", expire), wantCode: "MalformedXML"},
		{
			name:     "filter and prefix",
			rules:    with("<Filter/><Prefix/>", expire),
			wantCode: "MalformedXML",
		},
		{
			name:     "two conditions without And",
			rules:    with("<Filter><Prefix>a</Prefix><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></Filter>", expire),
			wantCode: "MalformedXML",
		},
		{
			name:     "condition beside And",
			rules:    with("<Filter><And><Prefix>a</Prefix></And><Prefix>a</Prefix></Filter>", expire),
			wantCode: "MalformedXML",
		},
		{
			name:        "same tag twice",
			rules:       with("<Filter><And>"+tag+tag+"</And></Filter>", expire),
			wantCode:    "InvalidRequest",
			wantMessage: "Duplicate Tag Keys are not allowed.",
		},
		{
			name:        "action missing",
			rules:       with(all, ""),
			wantCode:    "InvalidRequest",
			wantMessage: "At least one action needs to be specified in a rule.",
		},
		{
			name:     "unknown status",
			rules:    "<Rule><Filter/><Status>enabled</Status>" + expire + "</Rule>",
			wantCode: "MalformedXML",
		},
		{name: "same ID twice", rules: with(all, expire) + with(all, expire), wantCode: "InvalidArgument"},
		{name: "ID too long", rules: rule(strings.Repeat("a", 256), expire), wantCode: "InvalidArgument"},
		{
			name:        "expiration after 0 days",
			rules:       with(all, "<Expiration><Days>0</Days></Expiration>"),
			wantCode:    "InvalidArgument",
			wantMessage: "'Days' for Expiration action must be a positive integer",
		},
		{
			name:     "days and a date",
			rules:    with(all, "<Expiration><Days>1</Days><Date>2030-01-01T00:00:00Z</Date></Expiration>"),
			wantCode: "MalformedXML",
		},
		{
			name: "days and delete markers",
			rules: with(all,
				"<Expiration><Days>1</Days><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"),
			wantCode: "MalformedXML",
		},
		{
			name: "delete markers with a tag",
			rules: with("<Filter>"+tag+"</Filter>",
				"<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"),
			wantCode: "InvalidRequest",
		},
		{
			name:     "invalid date",
			rules:    with(all, "<Expiration><Date>20300101</Date></Expiration>"),
			wantCode: "MalformedXML",
		},
		{
			name:        "date at noon",
			rules:       with(all, "<Expiration><Date>2030-01-01T12:00:00Z</Date></Expiration>"),
			wantCode:    "InvalidArgument",
			wantMessage: "'Date' must be at midnight GMT",
		},
		{
			name:     "unknown storage class",
			rules:    with(all, "<Transition><Days>1</Days><StorageClass>COLD</StorageClass></Transition>"),
			wantCode: "MalformedXML",
		},
		{
			name: "transition to STANDARD_IA too early",
			rules: with(all,
				"<Transition><Days>29</Days><StorageClass>STANDARD_IA</StorageClass></Transition>"),
			wantCode: "InvalidArgument",
		},
		{
			name: "same storage class twice",
			rules: with(all,
				strings.Repeat("<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>", 2)),
			wantCode: "InvalidRequest",
		},
		{
			name: "transition not before the expiration",
			rules: with(all,
				expire+"<Transition><Days>7</Days><StorageClass>GLACIER</StorageClass></Transition>"),
			wantCode: "InvalidArgument",
		},
		{
			name: "transition at an invalid date",
			rules: with(all,
				"<Transition><Date>soon</Date><StorageClass>GLACIER</StorageClass></Transition>"),
			wantCode: "MalformedXML",
		},
		{
			name: "expiration by days, transition by date",
			rules: with(all,
				expire+"<Transition><Date>2030-01-01T00:00:00Z</Date><StorageClass>GLACIER</StorageClass></Transition>"),
			wantCode: "InvalidRequest",
		},
		{
			name:     "noncurrent expiration without days",
			rules:    with(all, "<NoncurrentVersionExpiration/>"),
			wantCode: "MalformedXML",
		},
		{
			name: "noncurrent expiration after 0 days",
			rules: with(all,
				"<NoncurrentVersionExpiration><NoncurrentDays>0</NoncurrentDays></NoncurrentVersionExpiration>"),
			wantCode: "InvalidArgument",
		},
		{
			name: "too many noncurrent versions",
			rules: with(all,
				"<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>101</NewerNoncurrentVersions></NoncurrentVersionExpiration>"),
			wantCode: "InvalidArgument",
		},
		{
			name:     "abort without days",
			rules:    with(all, "<AbortIncompleteMultipartUpload/>"),
			wantCode: "MalformedXML",
		},
		{
			name: "abort after 0 days",
			rules: with(all,
				"<AbortIncompleteMultipartUpload><DaysAfterInitiation>0</DaysAfterInitiation></AbortIncompleteMultipartUpload>"),
			wantCode: "InvalidArgument",
		},
		{
			name: "abort with a tag",
			rules: with("<Filter>"+tag+"</Filter>",
				"<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"),
			wantCode: "InvalidRequest",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(tt.rules)
			require.True(t, s3error.Is(err, tt.wantCode), err)
			require.ErrorContains(t, err, tt.wantMessage)
		})
	}
}

var written = time.Date(2026, 3, 1, 15, 0, 0, 0, time.UTC)

// at returns a clock that shows the time d after the objects were written. The clock's days begin
// at midnight, as those of AWS do.
func at(d time.Duration) lifecycle.Clock {
	return lifecycle.Clock{Now: written.Add(d), Day: lifecycle.FullDay}
}

// The filter of a rule selects objects by prefix, tags and size. The rule expires only the selected
// objects.
func TestRuleFilters(t *testing.T) {
	const one, two = "<Tag><Key>a</Key><Value>1</Value></Tag>", "<Tag><Key>b</Key><Value>2</Value></Tag>"
	versions := map[string]lifecycle.Version{
		"large":        {Size: 6},
		"small":        {Size: 1},
		"tagged":       {Size: 3, Tags: []tagging.Tag{{Key: "a", Value: "1"}}},
		"tagged-twice": {Size: 3, Tags: []tagging.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}},
		"marker":       {Marker: true},
	}
	tests := []struct {
		name        string
		filter      string
		wantExpired []string
	}{
		{
			name:        "no condition",
			filter:      "<Filter/>",
			wantExpired: []string{"large", "marker", "small", "tagged", "tagged-twice"},
		},
		{
			name:        "prefix",
			filter:      "<Filter><Prefix>tag</Prefix></Filter>",
			wantExpired: []string{"tagged", "tagged-twice"},
		},
		{
			name:        "prefix without a filter",
			filter:      "<Prefix>tag</Prefix>",
			wantExpired: []string{"tagged", "tagged-twice"},
		},
		{
			name:        "tag",
			filter:      "<Filter>" + one + "</Filter>",
			wantExpired: []string{"tagged", "tagged-twice"},
		},
		{
			name:        "two tags",
			filter:      "<Filter><And>" + one + two + "</And></Filter>",
			wantExpired: []string{"tagged-twice"},
		},
		{
			name:        "prefix and tag",
			filter:      "<Filter><And><Prefix>tagged-t</Prefix>" + one + "</And></Filter>",
			wantExpired: []string{"tagged-twice"},
		},
		{
			name:        "size above",
			filter:      "<Filter><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></Filter>",
			wantExpired: []string{"large"},
		},
		{
			name:        "size below",
			filter:      "<Filter><ObjectSizeLessThan>6</ObjectSizeLessThan></Filter>",
			wantExpired: []string{"small", "tagged", "tagged-twice"},
		},
		{
			name:        "size between",
			filter:      "<Filter><And><ObjectSizeGreaterThan>1</ObjectSizeGreaterThan><ObjectSizeLessThan>6</ObjectSizeLessThan></And></Filter>",
			wantExpired: []string{"tagged", "tagged-twice"},
		},
		{
			name:   "other value of the tag",
			filter: "<Filter><Tag><Key>a</Key><Value>2</Value></Tag></Filter>",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
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
			require.ElementsMatch(t, tt.wantExpired, expired)
		})
	}
}

// For each version of an object, the rules decide whether it is deleted, archived or kept.
func TestRuleActions(t *testing.T) {
	// A day of a rule ends at midnight. For objects that were written at 15:00, one day ends 33 hours later.
	const endOfDay = 33 * time.Hour
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

	// These are the actions of the rules.
	const afterADay = "<Expiration><Days>1</Days></Expiration>"
	const glacier = "<Transition><Days>0</Days><StorageClass>GLACIER</StorageClass></Transition>"
	const noncurrent = "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>"
	const markers = "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"
	type versions = []lifecycle.Version

	tests := []struct {
		name       string
		rules      string
		versions   versions
		index      int           // of the version that the rules are asked about
		age        time.Duration // since the current version was written at 15:00
		wantAction lifecycle.Action
	}{
		{
			name:       "last hour of the day",
			rules:      rule("", afterADay),
			versions:   versions{current},
			age:        endOfDay - time.Hour,
			wantAction: lifecycle.Action{},
		},
		{
			name:       "midnight after the day",
			rules:      rule("", afterADay),
			versions:   versions{current},
			age:        endOfDay,
			wantAction: lifecycle.Action{Expire: true},
		},
		{
			name:       "disabled rule",
			rules:      strings.Replace(rule("", afterADay), "Enabled", "Disabled", 1),
			versions:   versions{current},
			age:        99 * time.Hour,
			wantAction: lifecycle.Action{},
		},
		{
			name:       "noncurrent version, a day after its successor",
			rules:      rule("", noncurrent),
			versions:   versions{current, older},
			index:      1,
			age:        endOfDay,
			wantAction: lifecycle.Action{Expire: true},
		},
		{
			name:       "noncurrent version, too early",
			rules:      rule("", noncurrent),
			versions:   versions{current, older},
			index:      1,
			age:        endOfDay - time.Hour,
			wantAction: lifecycle.Action{},
		},
		{
			name:       "current version, rule about noncurrent ones",
			rules:      rule("", noncurrent),
			versions:   versions{current, older},
			age:        99 * time.Hour,
			wantAction: lifecycle.Action{},
		},
		{
			name: "newest noncurrent version, which is kept",
			rules: rule("",
				"<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>1</NewerNoncurrentVersions></NoncurrentVersionExpiration>"),
			versions:   versions{current, older},
			index:      1,
			age:        99 * time.Hour,
			wantAction: lifecycle.Action{},
		},
		{
			name:       "delete marker above a version",
			rules:      rule("", markers),
			versions:   versions{marker, older},
			age:        time.Hour,
			wantAction: lifecycle.Action{},
		},
		{
			name:       "delete marker without versions",
			rules:      rule("", markers),
			versions:   versions{marker},
			age:        time.Hour,
			wantAction: lifecycle.Action{Expire: true},
		},
		{
			name:       "transition",
			rules:      rule("", glacier),
			versions:   versions{current},
			age:        24 * time.Hour,
			wantAction: lifecycle.Action{Class: "GLACIER"},
		},
		{
			name:       "transition to a warmer class",
			rules:      rule("", glacier),
			versions:   versions{cold},
			age:        24 * time.Hour,
			wantAction: lifecycle.Action{},
		},
		{
			name:       "transition of a small object",
			rules:      rule("", glacier),
			versions:   versions{small},
			age:        24 * time.Hour,
			wantAction: lifecycle.Action{},
		},
		{
			name:       "expiration and transition",
			rules:      rule("a", glacier) + rule("", afterADay),
			versions:   versions{current},
			age:        endOfDay,
			wantAction: lifecycle.Action{Expire: true},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := parse(tt.rules)
			require.NoError(t, err)
			require.Equal(t, tt.wantAction, c.Action(tt.versions, tt.index, at(tt.age)))
		})
	}
}

// If several rules would abort an upload, the earliest of them decides.
func TestRulesEarliestEndsUpload(t *testing.T) {
	abort := func(days string) string {
		return "<AbortIncompleteMultipartUpload><DaysAfterInitiation>" + days + "</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
	}
	c, err := parse(rule("", abort("7")) + rule("a/", abort("1")))
	require.NoError(t, err)

	ofBoth := c.Abortion("a/k", written, at(0))
	require.Equal(t, "a/", ofBoth.Rule)
	require.Equal(t, time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC), ofBoth.At)

	ofFirst := c.Abortion("b/k", written, at(0))
	require.Equal(t, time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC), ofFirst.At)
}
