// Package powercut has only a test. It cuts the power after each acknowledged write, and
// requires that the write is still on the disk. It covers every part of the module that
// writes files. "make powercut" runs it, as root on Linux.
package powercut
