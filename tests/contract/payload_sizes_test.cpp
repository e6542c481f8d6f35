// Payloads, results and checkpoints of every size up to what is allowed, and one byte more.

#include "contract/support.hpp"

namespace galley::store::contract {
namespace {

/// Around what a page of a file holds, what a small blob is, and the bound itself.
std::vector<std::size_t> sizes_up_to(std::size_t most) {
  std::vector<std::size_t> sizes;
  for (const std::size_t size : {0, 1, 2, 99, 4'000, 4'095, 4'096, 4'097, 60'000, 500'000}) {
    if (size < most) sizes.push_back(size);
  }
  sizes.push_back(most - 1);
  sizes.push_back(most);
  return sizes;
}

/// Every byte, zeros and quotes among them, and no two sizes alike.
std::string bytes_of(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 7 + size) % 251);
  return bytes;
}

class Sizes : public Contract {};

TEST_P(Sizes, EveryPayloadComesToItsClaimAsItWasAndStays) {
  const auto sizes = sizes_up_to(limits::kMaxPayloadBytes);
  Ids ids;
  for (const std::size_t size : sizes) ids.push_back(add(a_job().bytes(bytes_of(size))));
  const auto claims = claim();
  ASSERT_EQ(claims.size(), sizes.size());
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    EXPECT_TRUE(claims[i].payload == bytes_of(sizes[i])) << sizes[i];
    EXPECT_EQ(finish(claims[i], i % 2 == 0 ? JobEvent::Complete : JobEvent::Pause), FinishAnswer::Finished);
    EXPECT_TRUE(find(ids[i]).payload == bytes_of(sizes[i])) << sizes[i];
  }
  EXPECT_EQ(claim().size(), sizes.size() / 2) << "those that were put back";
}

TEST_P(Sizes, APayloadThatIsTooLargeIsRefusedWithWhatIsAllowedAndNothingIsWritten) {
  const std::vector<job::NewJob> jobs{a_job(), a_job().bytes(std::string(limits::kMaxPayloadBytes + 1, 'x'))};
  const auto answer = store.enqueue(jobs);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::InvalidInput);
  EXPECT_NE(answer.error().message.find("payload"), std::string::npos) << answer.error().message;
  EXPECT_NE(answer.error().message.find("at most 1048576 bytes"), std::string::npos) << answer.error().message;
  EXPECT_EQ(answer.error().written, Written::Nothing);
  EXPECT_TRUE(list().empty());
}

TEST_P(Sizes, AnEnqueueOfTooManyBytesInAllIsRefusedAsAWhole) {
  const std::size_t fit = limits::kMaxEnqueueBytes / limits::kMaxPayloadBytes;
  std::vector<job::NewJob> jobs(fit, a_job().bytes(std::string(limits::kMaxPayloadBytes, 'x')));
  EXPECT_EQ(store.enqueue(jobs).value().size(), fit);
  jobs.push_back(a_job().bytes("x"));
  const auto answer = store.enqueue(jobs);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::InvalidInput);
  EXPECT_NE(answer.error().message.find(std::to_string(limits::kMaxEnqueueBytes)), std::string::npos)
      << answer.error().message;
  EXPECT_EQ(claim().size(), fit);
}

TEST_P(Sizes, EveryResultIsKeptAndOneThatIsTooLargeLosesNothing) {
  for (const std::size_t size : sizes_up_to(limits::kMaxResultBytes)) {
    const JobId id = add(a_job());
    Finish end = a_finish(claim_one(), JobEvent::Complete);
    end.result = bytes_of(limits::kMaxResultBytes + 1);
    const auto refused = store.finish(std::vector{end});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::InvalidInput);
    EXPECT_NE(refused.error().message.find("result"), std::string::npos) << refused.error().message;
    EXPECT_EQ(state(id), JobState::Running);
    end.result = bytes_of(size);
    EXPECT_EQ(finish(end), FinishAnswer::Finished);
    EXPECT_TRUE(find(id).result == bytes_of(size)) << size;
  }
}

TEST_P(Sizes, EveryCheckpointComesToTheNextAttemptAndOneThatIsTooLargeLosesNothing) {
  for (const std::size_t size : sizes_up_to(limits::kMaxCheckpointBytes)) {
    const JobId id = add(a_job());
    const job::Claim claim = claim_one();
    const auto renew = [&](std::size_t bytes) {
      return store.renew(std::vector{Renewal{claim.id, {}, bytes_of(bytes)}}, limits::kLease);
    };
    ASSERT_TRUE(renew(size));
    const auto refused = renew(limits::kMaxCheckpointBytes + 1);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::InvalidInput);
    EXPECT_NE(refused.error().message.find("checkpoint"), std::string::npos) << refused.error().message;
    EXPECT_EQ(finish(claim, JobEvent::Pause), FinishAnswer::Finished);
    const job::Claim next = claim_one();
    EXPECT_EQ(next.id.job, id);
    EXPECT_TRUE(next.checkpoint == bytes_of(size)) << size;
    EXPECT_EQ(finish(next, JobEvent::Complete), FinishAnswer::Finished);
  }
}

TEST_P(Sizes, AClaimBringsThePayloadsOfWhatItClaimsAndOfNothingElse) {
  for (int i = 0; i < 20; ++i) (void)add(a_job().bytes(bytes_of(limits::kMaxPayloadBytes)));
  std::size_t bytes = 0;
  for (const job::Claim& claim : claim(3)) bytes += claim.payload.size();
  EXPECT_EQ(bytes, 3 * limits::kMaxPayloadBytes);
}

INSTANTIATE_TEST_SUITE_P(Every, Sizes, testing::ValuesIn(backends()), backend_name);

}  // namespace
}  // namespace galley::store::contract
