package uploads

import (
	"context"
	"time"
)

// SetBasePart makes the parts of a service smaller.
func (s *Service) SetBasePart(bytes int64) { s.keeper.basePart = bytes }

// SetPulse makes a call that makes a file send heartbeats by another clock.
func (s *Service) SetPulse(wait func(context.Context) error) {
	s.memory.Pulse = func(ctx context.Context, _ time.Duration) error { return wait(ctx) }
}
