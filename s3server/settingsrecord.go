package s3server

import (
	"time"

	"github.com/omnibucket/storage/s3server/internal/cors"
	"github.com/omnibucket/storage/s3server/internal/lifecycle"
	"github.com/omnibucket/storage/s3server/internal/notification"
	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/tagging"
	"github.com/omnibucket/storage/s3server/internal/website"
)

// A settingsRecord is how a bucket and its settings are stored. It has a field for each field of
// settings.
type settingsRecord struct {
	Account    string
	Region     string
	Created    time.Time
	Changes    []time.Time              `json:",omitempty"` // of versioning
	Versioning string                   `json:",omitempty"`
	CORS       *cors.Configuration      `json:",omitempty"`
	Policy     []byte                   `json:",omitempty"`
	Block      *accessBlock             `json:",omitempty"`
	Ownership  string                   `json:",omitempty"`
	Lifecycle  *lifecycle.Configuration `json:",omitempty"`
	ACL        accessList               `json:",omitempty"`
	Locking    *lockRecord              `json:",omitempty"`

	Tags         []tagging.Tag               `json:",omitempty"`
	Encryption   *encryptionRule             `json:",omitempty"`
	Payer        string                      `json:",omitempty"`
	Acceleration string                      `json:",omitempty"`
	Logging      []byte                      `json:",omitempty"`
	Notification *notification.Configuration `json:",omitempty"`
	Website      *website.Configuration      `json:",omitempty"`
}

type lockRecord struct {
	Mode        string `json:",omitempty"`
	Days, Years int    `json:",omitempty"`
}

func recordOf(b *bucket) *settingsRecord {
	r := &settingsRecord{
		Account: b.account, Region: b.region, Created: b.created, Changes: b.versioningChanges, Versioning: b.versioning, CORS: b.cors, Block: b.block, Ownership: b.ownership,
		Lifecycle: b.lifecycle, ACL: b.acl,
		Tags: b.tags, Encryption: b.encryption, Payer: b.payer, Acceleration: b.acceleration, Logging: b.logging,
		Notification: b.notification, Website: b.website,
	}
	if b.policy != nil {
		r.Policy = b.policy.Text()
	}
	if l := b.locking; l != nil {
		r.Locking = &lockRecord{l.mode, l.days, l.years}
	}
	return r
}

// settings returns the settings of a bucket with this name.
func (r *settingsRecord) settings(name string) (settings, error) {
	s := settings{
		versioning: r.Versioning, cors: r.CORS, block: r.Block, ownership: r.Ownership, lifecycle: r.Lifecycle, acl: r.ACL,
		tags: r.Tags, encryption: r.Encryption, payer: r.Payer, acceleration: r.Acceleration, logging: r.Logging,
		notification: r.Notification, website: r.Website,
	}
	if l := r.Locking; l != nil {
		s.locking = &lockSettings{l.Mode, l.Days, l.Years}
	}
	if r.Policy == nil {
		return s, nil
	}
	var err error
	s.policy, err = policy.Parse(r.Policy, name, false)
	return s, err
}
