// Package powercut contains only a test. The test simulates a power failure after each write that
// was acknowledged, and requires that the written data is still on the disk. It covers every part
// of the module that writes files. "make powercut" runs it as root on Linux.
package powercut
