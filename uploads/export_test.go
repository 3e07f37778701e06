package uploads

import (
	"context"
	"time"
)

// SetBasePart makes the parts of a service smaller.
func (s *Service) SetBasePart(bytes int64) { s.keeper.BasePart = bytes }

// SetPulse replaces the clock of the heartbeats that a call sends while it creates a file. The call
// then calls wait before each heartbeat.
func (s *Service) SetPulse(wait func(context.Context) error) {
	s.setup.memory.Pulse = func(ctx context.Context, _ time.Duration) error { return wait(ctx) }
}
