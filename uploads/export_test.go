package uploads

// SetBasePart makes the parts of a service smaller.
func (s *Service) SetBasePart(bytes int64) { s.keeper.basePart = bytes }
