package request

import (
	"time"

	"github.com/omnibucket/storage/s3server/internal/accounts"
	"github.com/omnibucket/storage/s3server/internal/completed"
	"github.com/omnibucket/storage/s3server/internal/events"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// A Server has the settings, the store and the state that all requests of one s3server.Handler share.
type Server struct {
	ID             string // unique id of this server
	Strict         bool
	Region         string
	AnyRegion      bool // true if signatures and locations may be of any region
	AnyHost        bool // true if the host of a bucket may have any region of AWS
	Domains        []string
	WebsiteDomains []string
	Limits         Limits
	Keys           accounts.Keys
	KMSKeys        []string // nil means every id
	RestoreTime    time.Duration
	Store          state.Store
	Clock          func() time.Time
	Done           <-chan struct{} // closed when the server ends; nil without a listener

	Events    *events.Sender
	Completed *completed.Uploads
	Documents *Documents
}

// Limits are the limits of requests. The fields are those of s3server.Limits, whose comments
// describe them.
type Limits struct {
	MinPartSize    int64
	MaxPartSize    int64
	MaxPutSize     int64
	MaxCopySize    int64
	MaxParts       int
	MaxPage        int
	MaxBatch       int
	MaxMetadata    int
	MaxHeader      int
	MaxBuckets     int
	MaxConnections int
	IdleTimeout    time.Duration
}

// Now returns the time of the server in UTC.
func (s *Server) Now() time.Time { return s.Clock().UTC() }

// NewBucket returns a new bucket with default settings, which is not in the store yet.
func (s *Server) NewBucket(name, account string) *state.Bucket {
	return &state.Bucket{
		Name:     name,
		Account:  account,
		Region:   s.Region,
		Created:  s.Now(),
		Settings: state.NewSettings(s.Strict),
	}
}

// IsArchived reports whether a version must be restored before it can be read. A restored copy can
// be read until it expires.
func (s *Server) IsArchived(v *state.Version) bool {
	now := s.Now()
	return v.Object.Properties.IsArchived() &&
		(now.Before(v.Object.Restored.From) || !now.Before(v.Object.Restored.Until))
}
