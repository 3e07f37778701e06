package listxml

import (
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// A VersionsPage is a response of ListObjectVersions. Versions stay in the server's order, which
// may differ from the order of their times. For example, Amazon shows the time at which a multipart
// upload began, but sorts its object by the time at which the upload ended.
type VersionsPage struct {
	Entries         []storage.VersionEntry
	NextKey, NextID string // the last version before the next page
	More            bool   // there is a next page

	fields     fields
	hasMarker  bool // a delete marker was read
	timesInIDs bool // see ReadVersions
	// markersApart is true if the server may list all delete markers after all versions. It
	// becomes false if the response has a version after a delete marker.
	markersApart bool
}

// ReadVersions reads a response of ListObjectVersions. prefix is that of the request.
//
// If markersApart is true, the server may list all delete markers after all versions, and
// ReadVersions sorts them among the versions. If timesInIDs is true, the server lists an old
// version with the time of its replacement. ReadVersions then takes the time of the write from the
// id of the version, which is a ULID.
func ReadVersions(response []byte, prefix string, markersApart, timesInIDs bool) (*VersionsPage, error) {
	// An unusual document is read twice, so each attempt begins with an empty page.
	var p *VersionsPage
	err := readDocument(response, func(r reader) error {
		p = &VersionsPage{fields: fields{xml: r}, markersApart: markersApart, timesInIDs: timesInIDs}
		if err := p.fields.eachElement(p.readElement); err != nil {
			return err
		}
		if err := p.fields.checkPrefix(prefix); err != nil {
			return err
		}
		return p.finishPage()
	})
	return p, err
}

// readElement reads an element below the root.
func (p *VersionsPage) readElement(name []byte) (err error) {
	switch {
	case sameName(name, "Version"):
		// A version after a delete marker shows that the server does not list the markers apart.
		if p.hasMarker {
			p.markersApart = false
		}
		return p.readEntry(storage.VersionEntry{})
	case sameName(name, "DeleteMarker"):
		p.hasMarker = true
		return p.readEntry(storage.VersionEntry{IsDeleteMarker: true})
	case sameName(name, "CommonPrefixes"):
		return p.readEntry(storage.VersionEntry{ListEntry: storage.ListEntry{IsPrefix: true}})
	case sameName(name, "NextKeyMarker"):
		p.NextKey, err = p.fields.readString()
	case sameName(name, "NextVersionIdMarker"):
		p.NextID, err = p.fields.readString()
	default:
		return p.fields.readPageField(name)
	}
	return err
}

// readEntry reads a version, a delete marker or a common prefix into e, which has its kind, and
// adds it to the page.
func (p *VersionsPage) readEntry(e storage.VersionEntry) error {
	if len(p.Entries) == MaxEntries {
		return errTooLong
	}
	err := p.fields.eachChild(func(name []byte) error { return p.readField(&e, name) })
	p.Entries = append(p.Entries, e)
	return err
}

// readField reads the element name of a version, a delete marker or a common prefix into e, which already
// has its kind.
func (p *VersionsPage) readField(e *storage.VersionEntry, name []byte) (err error) {
	switch {
	case e.IsPrefix && sameName(name, "Prefix"):
		e.Key, err = p.fields.readString()
	case e.IsPrefix:
		err = p.fields.xml.skipElement()
	case sameName(name, "VersionId"):
		e.Version, err = p.fields.readString()
	case sameName(name, "IsLatest"):
		var isLatest flag
		isLatest, err = p.fields.readFlag()
		e.Current = isLatest == yes
	default:
		err = p.fields.readEntryField(&e.ListEntry, name)
	}
	return err
}

// finishPage unescapes, merges and sorts the entries after the whole page was read, because some
// servers only say at its end how keys are escaped.
func (p *VersionsPage) finishPage() error {
	for i := range p.Entries {
		e := &p.Entries[i]
		key, err := p.fields.unescape(e.Key)
		if err != nil {
			return err
		}
		e.Key = key
	}
	nextKey, err := p.fields.unescape(p.NextKey)
	if err != nil {
		return err
	}
	p.NextKey = nextKey

	// Put the entries in order, with their own times.
	if p.timesInIDs {
		p.readTimes()
	}
	p.mergeKinds()
	if p.hasMarker && p.markersApart {
		p.placeMarkers()
	}

	p.More, err = p.fields.hasNext(p.NextKey)
	return err
}

// readTimes gives old versions the times in their ids, because the server lists them with the times
// of their replacement.
func (p *VersionsPage) readTimes() {
	for i := range p.Entries {
		e := &p.Entries[i]
		if createdAt, ok := ulidTime(e.Version); ok && !e.Current && createdAt.Before(e.Modified) {
			e.Modified = createdAt
		}
	}
}

// ulidTime returns the time in a ULID, which has 26 digits of 5 bits, of which the first 10 count
// the milliseconds since 1970. ok is false if id is no ULID. https://github.com/ulid/spec
func ulidTime(id string) (t time.Time, ok bool) {
	const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	const length, timeLength, digitBits = 26, 10, 5
	// A first digit greater than 7 would make more than 128 bits.
	if len(id) != length || id[0] > '7' {
		return time.Time{}, false
	}
	milliseconds := int64(0)
	for i := range length {
		value := strings.IndexByte(digits, id[i])
		if value < 0 {
			return time.Time{}, false
		}
		if i < timeLength {
			milliseconds = milliseconds<<digitBits | int64(value)
		}
	}
	return time.UnixMilli(milliseconds).UTC(), true
}

// mergeKinds merges versions, delete markers and common prefixes, which some servers list one kind
// after another. If a kind is not in ascending order, the entries stay in the server's order.
func (p *VersionsPage) mergeKinds() {
	// Compare each entry with the last one of its kind.
	var lastVersion, lastMarker, lastPrefix string
	for i := range p.Entries {
		e := &p.Entries[i]
		last := &lastVersion
		if e.IsDeleteMarker {
			last = &lastMarker
		} else if e.IsPrefix {
			last = &lastPrefix
		}
		if e.Key < *last {
			return
		}
		*last = e.Key
	}

	// A stable sort keeps the order of the versions of each key.
	slices.SortStableFunc(p.Entries, func(a, b storage.VersionEntry) int { return strings.Compare(a.Key, b.Key) })
}

// placeMarkers places each delete marker, a version that says that the object was removed, among
// the versions of its key by time. The server lists the markers of a key after its versions.
// Neither the versions nor the markers change their order among themselves.
func (p *VersionsPage) placeMarkers() {
	entries := make([]storage.VersionEntry, 0, len(p.Entries))
	for rest := p.Entries; len(rest) > 0; {
		// The next group has the entries of one key: first its versions, and then its markers.
		key := rest[0].Key
		end := slices.IndexFunc(rest, func(e storage.VersionEntry) bool { return e.Key != key })
		if end < 0 {
			end = len(rest)
		}
		group := rest[:end]
		rest = rest[end:]

		// Divide the group into its versions and its markers.
		firstMarker := slices.IndexFunc(group, func(e storage.VersionEntry) bool { return e.IsDeleteMarker })
		if firstMarker < 0 {
			firstMarker = len(group)
		}

		entries = appendNewestFirst(entries, group[:firstMarker], group[firstMarker:])
	}
	p.Entries = entries
}

// appendNewestFirst merges the versions and the markers of a key, both of which begin with the
// newest, and appends them to entries.
func appendNewestFirst(entries, versions, markers []storage.VersionEntry) []storage.VersionEntry {
	for len(versions) > 0 && len(markers) > 0 {
		if isNewer(&markers[0], &versions[0]) {
			entries = append(entries, markers[0])
			markers = markers[1:]
		} else {
			entries = append(entries, versions[0])
			versions = versions[1:]
		}
	}
	entries = append(entries, versions...)
	return append(entries, markers...)
}

// isNewer reports whether a delete marker is newer than a version of the same key.
func isNewer(marker, version *storage.VersionEntry) bool {
	if marker.Current || version.Current {
		return marker.Current
	}
	return marker.Modified.After(version.Modified)
}
