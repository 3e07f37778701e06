package clamd

import "time"

// SetPrompt sets the time in which clamd must accept a connection and answer PING.
func (s *Scanner) SetPrompt(d time.Duration) { s.prompt = d }
