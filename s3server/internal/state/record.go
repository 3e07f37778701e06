package state

import (
	"time"

	"github.com/omnibucket/storage/s3server/internal/acl"
	"github.com/omnibucket/storage/s3server/internal/cors"
	"github.com/omnibucket/storage/s3server/internal/lifecycle"
	"github.com/omnibucket/storage/s3server/internal/notification"
	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/tagging"
	"github.com/omnibucket/storage/s3server/internal/website"
)

// A SettingsRecord is how a bucket and its settings are stored. It has a field for each field of
// settings.
type SettingsRecord struct {
	Account    string
	Region     string
	Created    time.Time
	Changes    []time.Time              `json:",omitempty"` // of versioning
	Versioning string                   `json:",omitempty"`
	CORS       *cors.Configuration      `json:",omitempty"`
	Policy     []byte                   `json:",omitempty"`
	Block      *acl.Block               `json:",omitempty"`
	Ownership  string                   `json:",omitempty"`
	Lifecycle  *lifecycle.Configuration `json:",omitempty"`
	ACL        acl.List                 `json:",omitempty"`
	Locking    *LockSettings            `json:",omitempty"`

	Tags         []tagging.Tag               `json:",omitempty"`
	Encryption   *EncryptionRule             `json:",omitempty"`
	Payer        string                      `json:",omitempty"`
	Acceleration string                      `json:",omitempty"`
	Logging      []byte                      `json:",omitempty"`
	Notification *notification.Configuration `json:",omitempty"`
	Website      *website.Configuration      `json:",omitempty"`
}

// RecordOf returns the record of a bucket.
func RecordOf(b *Bucket) *SettingsRecord {
	r := &SettingsRecord{
		Account: b.Account, Region: b.Region, Created: b.Created, Changes: b.VersioningChanges, Versioning: b.Versioning, CORS: b.CORS, Block: b.Block, Ownership: b.Ownership,
		Lifecycle: b.Lifecycle, ACL: b.ACL, Locking: b.Locking,
		Tags: b.Tags, Encryption: b.Encryption, Payer: b.Payer, Acceleration: b.Acceleration, Logging: b.Logging,
		Notification: b.Notification, Website: b.Website,
	}
	if b.Policy != nil {
		r.Policy = b.Policy.Text()
	}
	return r
}

// Settings returns the settings of a bucket with this name.
func (r *SettingsRecord) Settings(name string) (Settings, error) {
	s := Settings{
		Versioning: r.Versioning, CORS: r.CORS, Block: r.Block, Ownership: r.Ownership, Lifecycle: r.Lifecycle, ACL: r.ACL, Locking: r.Locking,
		Tags: r.Tags, Encryption: r.Encryption, Payer: r.Payer, Acceleration: r.Acceleration, Logging: r.Logging,
		Notification: r.Notification, Website: r.Website,
	}
	if r.Policy == nil {
		return s, nil
	}
	var err error
	s.Policy, err = policy.Parse(r.Policy, name, false)
	return s, err
}
