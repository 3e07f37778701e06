package state

import (
	"bytes"
	"cmp"
	"time"

	"github.com/omnibucket/storage/s3server/internal/policy"
)

// A SettingsRecord is how a bucket and its settings are stored, as JSON.
type SettingsRecord struct {
	Name    string // which the policy has; a mirror and an overlay copy the record to a bucket of another name
	Account string
	Region  string
	Created time.Time
	Changes []time.Time `json:",omitempty"` // of versioning
	Settings
	Policy []byte `json:",omitempty"` // the text of Settings.Policy
}

// RecordOf returns the record of a bucket.
func RecordOf(b *Bucket) *SettingsRecord {
	r := &SettingsRecord{Name: b.Name, Account: b.Account, Region: b.Region, Created: b.Created, Changes: b.VersioningChanges, Settings: b.Settings}
	if b.Policy != nil {
		r.Policy = b.Policy.Text()
	}
	return r
}

// Bucket returns the bucket with this name.
func (r *SettingsRecord) Bucket(name string) (*Bucket, error) {
	b := &Bucket{Name: name, Account: r.Account, Region: r.Region, Created: r.Created, VersioningChanges: r.Changes, Settings: r.Settings}
	if r.Policy == nil {
		return b, nil
	}
	const arn = "arn:aws:s3:::"
	document := bytes.ReplaceAll(r.Policy, []byte(arn+cmp.Or(r.Name, name)), []byte(arn+name))
	var err error
	b.Policy, err = policy.Parse(document, name, false)
	return b, err
}
